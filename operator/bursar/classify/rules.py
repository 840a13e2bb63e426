"""The table of evidence: what software, kinds and habits say about what a pod does.

Each row is true of the world, not of one manifest: software that exists under that name, a kind
that an API publishes, an argument that only such programs take. What is *executed* (weight 4 to 6)
beats what is merely *mentioned*: the image (2 to 4), the environment (1 to 2), a name (under 1.5).
An organisation's own habits do not belong here but in its ClassificationPolicy.

Adding evidence is one line here and one case in the tests. Patterns mean the same in Python's `re`
(with re.ASCII) and in RE2, are case-sensitive unless they begin with `(?i)`, and stay short,
because the API server charges for their length.
"""

from bursar.classify.rule import Rule, Where
from bursar.domain.classification import DecidedBy, WorkloadClass

_KNOWN = DecidedBy.KNOWN
_FOUND = DecidedBy.DISCOVERED
_IMAGE = Where.IMAGE
_RUN = Where.COMMAND
_ENV = Where.ENV
_OWNER = Where.OWNER
_LABEL = Where.LABEL
_SHAPE = Where.SHAPE
_NAME = Where.NAME

_Row = tuple[str, Where, DecidedBy, float, str, str, str]

_ONLY_WAITS = (
    r"^([\w/]*sh( -[a-z]+)*( --)? )?\s*(trap [^;]*; *)?"
    r"(sleep|tail -f|while (true|:|\[ 1 \]|\[ true \]); *do *(sleep|tail -f)) *"
    r"(infinity|inf|\d{4,}|\d+[hd]|/dev/null)[\s;&\w]*$"
)
"""A command that does nothing else than wait."""

_TRAINING: tuple[_Row, ...] = (
    # name, where, decided by, weight, activity, pattern, why
    ("kind-training-job", _OWNER, _KNOWN, 5.0, "distributed-training", r"\b(PyTorchJob|TFJob|XGBoostJob|PaddleJob|MXJob|JAXJob)\.(kubeflow\.org|batch\.paddlepaddle\.org)", "Kubeflow's training operator publishes these kinds to update weights"),
    ("kind-train-job", _OWNER, _KNOWN, 4.0, "distributed-training", r"\b(TrainJob|TrainingRuntime|ClusterTrainingRuntime)\.trainer\.kubeflow\.org", "Kubeflow Trainer's job and its blueprints; also carries MPI programs, so a little less"),
    ("kind-mpi-job", _OWNER, _KNOWN, 1.75, "distributed-training", r"\bMPIJob\.kubeflow\.org", "mostly Horovod and DeepSpeed, but communication benchmarks run as MPIJobs too"),
    ("kind-elastic-job", _OWNER, _KNOWN, 5.0, "distributed-training", r"\bElasticJob\.elastic\.pytorch\.org", "TorchElastic's controller"),
    ("kind-hyperpod-job", _OWNER, _KNOWN, 5.0, "pretraining", r"\bHyperPodPyTorchJob\.sagemaker", "SageMaker HyperPod's training operator"),
    ("kind-hyper-job", _OWNER, _KNOWN, 4.0, "distributed-training", r"\bHyperJob\.training\.volcano\.sh", "Volcano's multi-cluster training job"),
    ("kind-kaito-tuning", _OWNER, _KNOWN, 5.0, "fine-tuning", r"\bWorkspace\.kaito\.sh/tuning", "a kaito Workspace with spec.tuning fine-tunes a preset"),
    ("kind-tuner", _OWNER, _KNOWN, 4.0, "hyper-parameter-search", r"\b(Experiment|Trial|Suggestion)\.kubeflow\.org", "Katib searches hyper-parameters by training"),
    ("kind-training-other", _OWNER, _KNOWN, 5.0, "distributed-training", r"\b(AscendJob\.mindxdl|MSJob\.mindspore|(PyTorch|TF|XDL|Mars|ElasticDL)Job\.training\.kubedl\.io|ElasticJob\.elastic\.iml|TrainingJob\.sagemaker|(Finetune|FinetuneJob|FinetuneExperiment)\.finetune)", "training kinds of Ascend, KubeDL, DLRover, ACK and DataTunerX"),
    ("kind-run-ai-training", _OWNER, _KNOWN, 4.0, "", r"\b(TrainingWorkload|DistributedWorkload)\.run\.ai", "Run:ai's training workloads"),
    ("label-training-operator", _LABEL, _KNOWN, 4.0, "distributed-training", r"\btraining\.kubeflow\.org/(job-name|operator-name=(pytorch|tf|xgboost|paddle|jax))", "the training operator writes it on every pod that it makes"),
    ("label-trainer-step", _LABEL, _KNOWN, 4.0, "distributed-training", r"trainer\.kubeflow\.org/trainjob-ancestor-step=trainer", "Kubeflow Trainer marks the step that trains"),
    ("run-torch-launcher", _RUN, _KNOWN, 3.0, "distributed-training", r"(^|[\s/;&|(\"'])((torchrun|hyperpodrun|horovodrun) |(deepspeed|composer) (-|\S{1,60}\.py))|colossalai run", "launchers whose purpose is one process a device in a training job"),
    ("run-distributed-module", _RUN, _KNOWN, 3.5, "distributed-training", r"-m (torch\.distributed\.(run|launch)|torchelastic\.distributed\.launch|paddle\.distributed\.launch|horovod\.run)", "the launchers as Python modules"),
    ("run-accelerate", _RUN, _KNOWN, 1.5, "fine-tuning", r"accelerate launch|accelerate-launch", "Hugging Face's launcher: mostly trains, but also runs batch prediction"),
    ("run-train-script", _RUN, _FOUND, 5.5, "", r"(^|[\s/;&|\"'=_-])(re|pre)?-?[tT]rain(er|ing)?([_-][\w.-]{0,40})?\.(py|sh)\b", "a script is named after what it does: train.py, mnist_train_dist.py"),
    ("run-train-script-camel", _RUN, _FOUND, 4.5, "", r"[A-Za-z0-9](Train|Trainer|Training)\w{0,40}\.py\b", "the same in camel case"),
    ("run-finetune-script", _RUN, _FOUND, 5.5, "fine-tuning", r"(?i)fine[_-]?tun(e|er|ing)[\w-]{0,40}(\.py|\.sh|\s)", "fine_tune.py, finetuning.sh and subcommands of that name"),
    ("run-method-script", _RUN, _FOUND, 4.5, "fine-tuning", r"(?i)[\s/_-](sft|dpo|grpo|rlhf|orpo|kto|q?lora|distill?(ation)?|run_(clm|mlm|glue|squad))[\w-]{0,40}\.(py|sh)\b", "scripts named by the method, as TRL's and transformers' examples are"),
    ("run-train-module", _RUN, _FOUND, 5.5, "", r"-m [\w.]{0,40}(train|trainer|trainers|finetune|pretrain|sft|main_ppo|train_ppo\w*)\b", "python -m package.train"),
    ("run-train-cli", _RUN, _KNOWN, 7.0, "fine-tuning", r"\b(axolotl (train|preprocess_and_train)|axolotl\.cli\.train|llamafactory-cli train|tune run|swift (sft|pt|rlhf)|xtuner train|trl (sft|dpo|grpo|kto)|autotrain|mlx_lm\.lora|litgpt (finetune|pretrain))", "the command lines of published fine-tuning software"),
    ("run-train-cli-other", _RUN, _KNOWN, 6.0, "small-model-training", r"\b(yolo( \w+)? (mode=)?train|nnUNet(v2)?_train|fairseq-train|onmt_train|spacy train|ludwig train|rasa train|mim train|paddlex --train|nemo llm (pretrain|finetune))\b", "the command lines of published trainers of small models"),
    ("run-rl-framework", _RUN, _KNOWN, 6.0, "rl", r"\b(verl\.trainer|openrlhf\.cli|nemo_rl|areal\.launcher|slime/train|trlx|rllib train|stable_baselines3|sb3_contrib|skyrl)", "reinforcement-learning frameworks"),
    ("run-pretrain", _RUN, _KNOWN, 6.0, "pretraining", r"(?i)pretrain_(gpt|bert|t5|llama|vlm|ict)\w*|megatron[\w./-]{0,40}train|MaxText[./]train|nanogpt", "entry points of Megatron-LM and MaxText"),
    ("run-train-subcommand", _RUN, _FOUND, 3.0, "", r"[\w.-] (train|training|fine-?tune|fit)( --?\w|\s+[\w-]{1,40} --|$)", "a tool's train or fit subcommand followed by options"),
    ("run-train-arguments", _RUN, _FOUND, 3.0, "", r"(?i)--?(num[_-])?(train[_-])?(max[_-])?epochs?\b|--learning[_-]rate|--lr[= ]|--gradient[_-]accumulation|--weight[_-]decay|--warmup[_-]", "arguments that only mean something where weights are updated"),
    ("run-train-steps", _RUN, _FOUND, 2.0, "", r"(?i)--?(max|train|num)[_-](train[_-])?steps\b|per[_-]device[_-]train[_-]batch|--train[_-](data|file|batch|dir|micro)|--save[_-](steps|interval)|--optimizer\b", "arguments of trainers that other programs rarely have"),
    ("run-train-hydra", _RUN, _FOUND, 2.5, "", r"\b(trainer|training|train|optim|optimizer|model\.optim)\.[\w.]{0,40}(epochs|lr|steps|batch_size|devices|num_nodes)\w*=", "Hydra and OmegaConf overrides of a training configuration"),
    ("run-train-config", _RUN, _FOUND, 2.5, "", r"(?i)[\s/=_-](pre|fine-?)?(train|tune|sft|lora)[\w-]{0,40}\.(ya?ml|toml|json)\b", "a configuration file named after training"),
    ("run-loss-code", _RUN, _FOUND, 4.0, "small-model-training", r"loss\.backward\(\)|optimizer\.step\(\)|trainer\.(train|fit)\(|model\.fit\(|GradientTape", "inline code that computes gradients"),
    ("run-sweep", _RUN, _KNOWN, 5.0, "hyper-parameter-search", r"\b(wandb agent|optuna|nni create|katib|ray\.tune|tune_\w+\.py)\b", "searches hyper-parameters"),
    ("run-federated", _RUN, _KNOWN, 5.0, "distributed-training", r"\b(flower-(superlink|supernode|client)|flwr run|nvflare|fedml)\b", "federated learning"),
    ("run-example-trainings", _RUN, _FOUND, 2.5, "small-model-training", r"(?i)(imagenet|mnist|cifar|resnet)[\w./-]{0,60}\.py\b", "the examples with which frameworks show training"),
    ("image-trainer", _IMAGE, _KNOWN, 4.5, "fine-tuning", r"(?i)/(axolotl|unsloth|llama-?factory|verl|openrlhf|trl|nemo-rl|torchtune-trainer|ms-swift|xtuner|megatron-lm)\b", "published images of fine-tuning and reinforcement-learning software"),
    ("image-train-container", _IMAGE, _KNOWN, 3.0, "", r"(pytorch|tensorflow|mxnet|huggingface-pytorch|jax)-(training|trcomp)|/(composer|llm-foundry|training-v1)/|mosaicml/|/horovod[:/]|pytorch-dist-mnist|pytorch-elastic-example", "the clouds' training containers and the training operator's examples"),
    ("image-named-train", _IMAGE, _FOUND, 2.5, "", r"(?i)[/:_-](pre|re)?train(er|ing)?([:_@/\s-]|$)", "an image named for training"),
    ("image-named-finetune", _IMAGE, _FOUND, 3.0, "fine-tuning", r"(?i)fine-?_?tun(e|er|ing)|[/_-](q?lora|sft|dpo|grpo)[:_-]", "an image named for fine-tuning"),
    ("env-hyper-parameters", _ENV, _FOUND, 2.5, "", r"(?i)(^|\s)(num_|train_|max_)?(epochs|learning_rate|grad(ient)?_accumulation(_steps)?|train_batch_size|warmup_steps|lora_(r|rank|alpha|config))=", "hyper-parameters passed by environment"),
    ("env-experiment-tracking", _ENV, _FOUND, 1.5, "", r"(^|\s)(WANDB_(PROJECT|API_KEY|MODE|RUN_\w+|ENTITY)|MLFLOW_(EXPERIMENT|RUN)\w*|NEPTUNE_\w+|COMET_\w+)=", "experiment trackers follow training"),
    ("env-rendezvous", _ENV, _KNOWN, 1.5, "distributed-training", r"(^|\s)(MASTER_ADDR|PET_(NNODES|NPROC_PER_NODE)|TORCHELASTIC_\w+|TF_CONFIG|PADDLE_TRAINER\w*)=", "PyTorch's and TensorFlow's rendezvous of distributed training"),
    ("env-dataset", _ENV, _FOUND, 0.75, "", r"(?i)(^|\s)(train(ing)?_(data|file|set|dir|script)\w*|dataset(_\w+)?|checkpoint_(dir|path))=", "datasets and checkpoints named in the environment"),
    ("name-training", _NAME, _FOUND, 1.5, "", r"(?i)(^|[\s_-])(pre)?(train(er|ing)?|fine-?tun(e|ing)|tuning|sft|lora|grpo|dpo|ppo|rlhf|rl)([\s_\d-]|$)", "people name things after their purpose, and copy names: weak"),
    ("idle-not-training", _RUN, _FOUND, -8.0, "", _ONLY_WAITS, "nothing but waiting is executed, so nothing is trained yet"),
)  # fmt: skip

_INFERENCE: tuple[_Row, ...] = (
    ("kind-kserve", _OWNER, _KNOWN, 5.0, "online-serving", r"\b(InferenceService|LLMInferenceService|InferenceGraph|(Cluster)?ServingRuntime)\.serving\.(kserve\.io|kubeflow\.org)", "KServe serves models"),
    ("kind-ray-service", _OWNER, _KNOWN, 5.0, "online-serving", r"\bRayService\.ray\.io", "Ray Serve behind a Service"),
    ("kind-nim-or-dynamo", _OWNER, _KNOWN, 5.0, "online-serving", r"\b(NIMService|NIMPipeline)\.apps\.nvidia\.com|\b(DynamoGraphDeployment\w*|DynamoComponentDeployment|DynamoModel)\.nvidia\.com", "NVIDIA's inference microservices and Dynamo"),
    ("kind-model-server", _OWNER, _KNOWN, 5.0, "online-serving", r"\b(Model\.kubeai\.org|(Server|Model|Pipeline)\.mlops\.seldon\.io|SeldonDeployment\.machinelearning\.seldon\.io|Model\.ollama\.ayaka\.io|BentoDeployment\.serving\.yatai\.ai)", "KubeAI, Seldon, the Ollama operator and BentoML serve models"),
    ("kind-llm-gateway", _OWNER, _KNOWN, 5.0, "online-serving", r"\b(Inference(Model|Pool|Objective)\.inference\.networking|(Playground|Service)\.inference\.llmaz\.io|ModelServing\.workload\.serving\.volcano|(StormService|RayClusterFleet)\.orchestration\.aibrix)", "the Gateway API's inference extension, llmaz, Kthena and AIBrix"),
    ("kind-kaito-inference", _OWNER, _KNOWN, 5.0, "online-serving", r"\bInferenceSet\.kaito\.sh|\bWorkspace\.kaito\.sh/inference", "kaito serves a preset or a template"),
    ("kind-kaito-rag", _OWNER, _KNOWN, 5.0, "embedding", r"\bRAGEngine\.kaito\.sh", "kaito's retrieval engine embeds documents and queries"),
    ("kind-knative", _OWNER, _KNOWN, 3.0, "online-serving", r"\b(Service|Revision|Configuration)\.serving\.knative\.dev", "Knative runs what answers requests"),
    ("kind-serving-other", _OWNER, _KNOWN, 5.0, "online-serving", r"\b(VLLM(Runtime|Router)\.(production-stack|serving)\.vllm\.ai|InferenceService\.ome\.io|Inference\.serving\.kubedl\.io|PaddleService\.elasticserving|AIMService\.\w+|Endpoint\.sagemaker|ModelService\.llm-d|LLMDeployment)", "serving kinds of vLLM's production stack, OME, KubeDL, Paddle, AMD, ACK and llm-d"),
    ("kind-run-ai-inference", _OWNER, _KNOWN, 5.0, "online-serving", r"\bInferenceWorkload\.run\.ai", "Run:ai's inference workloads"),
    ("label-kserve", _LABEL, _KNOWN, 4.0, "online-serving", r"\bserving\.(kserve|kubeflow)\.(io|org)/inferenceservice=|serving\.knative\.dev/revision=", "KServe and Knative write it on the pods that they make"),
    ("label-serving-operator", _LABEL, _KNOWN, 4.0, "online-serving", r"\bray\.io/serve=|nvidia\.com/dynamo-|app\.kubernetes\.io/managed-by=(k8s-nim-operator|kubeai)|\b(seldon-deployment-id|kubeai\.org/model|model\.kubeai\.org/)", "operators of model servers mark their pods"),
    ("label-kserve-inference-pool", _LABEL, _FOUND, 2.0, "online-serving", r"llm-d\.ai/|inference\.networking\.|kaito\.sh/inference", "labels by which inference gateways select model servers"),
    ("run-llm-server", _RUN, _KNOWN, 7.0, "online-serving", r"\bvllm serve|vllm\.entrypoints|sglang\.launch_server|sglang_router|lmdeploy serve|trtllm-serve|-m dynamo\.|dynamo (serve|run|-?-?frontend)|text-generation-(launcher|router|server)|tgi-server", "the servers of large language models, executed"),
    ("run-embedding-server", _RUN, _KNOWN, 6.0, "embedding", r"text-embeddings-router|infinity_emb|--(task|runner|convert)[= ](embed\w*|score|rerank|pooling|classify)\b|--is-embedding", "embedding and reranking servers"),
    ("run-model-server", _RUN, _KNOWN, 7.0, "online-serving", r"\btritonserver\b|tensorflow_model_server|torchserve (--start|--ts|--model)|torchserve( |$)|multi-model-server|mlserver start|bentoml serve|openvino_model_server|/ovms/bin|nim[-_]llm|start_server\.sh", "the general model servers, executed"),
    ("run-local-server", _RUN, _KNOWN, 7.0, "online-serving", r"\bollama (serve|run)|llama-server|llama_cpp\.server|llama-box|local-?ai run|koboldcpp|xinference-?(local|worker)|fastchat\.serve|mlc_llm serve|aphrodite run|tabby serve|openllm (serve|start)|litserve|lightllm\.server", "servers that grew up on single machines"),
    ("run-serve-cli", _RUN, _KNOWN, 5.0, "online-serving", r"(^|[\s;&|])(serve (run|deploy|start)|ray serve|jetstream[\w.]{0,40}|lws_entrypoint|huggingfaceserver|-m (kserve|huggingfaceserver|mlflow models serve))\b|mlflow models serve", "Ray Serve, JetStream, KServe's and MLflow's servers"),
    ("run-vllm-arguments", _RUN, _KNOWN, 3.0, "online-serving", r"--(served-model-name|max-model-len|gpu-memory-utilization|max-num-seqs|max-num-batched-tokens?|enable-prefix-caching|model-repository|max-batch-prefill-tokens|max-total-tokens|max-input-length|kv-cache-dtype|mem-fraction-static)", "arguments of model servers that nothing else takes"),
    ("run-serving-arguments", _RUN, _FOUND, 1.5, "online-serving", r"--(tensor-parallel-size|num-shard|trust-remote-code|enforce-eager|model-id|model_base_path|rest_api_port|max-concurrent-requests|model-uri)\b|max_prefill_predict_length", "arguments frequent among model servers"),
    ("run-web-server", _RUN, _FOUND, 3.0, "online-serving", r"\b(uvicorn|gunicorn|hypercorn|granian) [^;&|\n]{0,80}([\w.]:\w|-c )|\b(fastapi (run|dev)|flask run|waitress-serve|streamlit run|chainlit run)\b|-m (uvicorn|gunicorn|streamlit|flask)\b", "a program that holds a device and answers HTTP serves a model"),
    ("run-queue-worker", _RUN, _FOUND, 2.5, "async-serving", r"\bcelery [^;&|\n]{0,80}worker|\b(rq worker|dramatiq [a-z]|faust -A)|[\s/._](gpu_?)?workers?(\.main|\.py)\b", "a worker that takes requests from a queue"),
    ("run-infer-script", _RUN, _FOUND, 5.5, "batch-inference", r"(?i)([\s/_.=-]|^)(batch[_-]?)?(infer(ence)?|predict(ion|ions|or)?|generate|transcribe)([_-][\w-]{0,40})?\.(py|sh)\b|-m [\w.]{0,40}(inference|predict|infer)\b", "a script is named after what it does: predict.py"),
    ("run-serve-script", _RUN, _FOUND, 5.0, "online-serving", r"(?i)[\s/_-](serv(e|er|ing|ice)|inference[_-](api|server)|api([_-]server)?|openai[_-]server)\.(py|sh)\b|\w_(serve|server|api)\.(py|sh)\b", "a script named after serving"),
    ("run-embed-script", _RUN, _FOUND, 3.0, "embedding", r"(?i)[\s/_-](embed(ding|dings|der)?|rerank(er)?|index(er)?)[\w-]{0,40}\.py\b", "a script named after embedding"),
    ("run-structure-prediction", _RUN, _KNOWN, 6.0, "batch-inference", r"\b(run_alphafold|colabfold_batch|boltz predict|run_pretrained_openfold|rfdiffusion|nnUNetv2_predict|yolo (\w+ )?(mode=)?predict)", "predicts with published weights"),
    ("image-llm-server", _IMAGE, _KNOWN, 4.0, "online-serving", r"(?i)(^|[\s/-])vllm|text-generation-inference|tgi-(gaudi|tpu|neuronx)|/sglang|-sglang|lmdeploy|tensorrt-?llm|trtllm|/ollama|/llama\.cpp|localai|jetstream|ray-llm|/nim/|ai-dynamo|maxengine|/aikit/|tabbyml|llm-d/|/dynamo|lorax|ipex-llm|tgis", "published images of servers of language models"),
    ("image-embedding-server", _IMAGE, _KNOWN, 4.0, "embedding", r"(?i)text-embeddings-inference|/tei-|/infinity:|embedding|rerank|[/_-]embed(der)?[:_-]", "published images of embedding servers"),
    ("image-model-server", _IMAGE, _KNOWN, 3.5, "online-serving", r"(?i)tritonserver|tensorflow/serving|tf-?serving|torchserve|pytorch/torchserve|mlserver|bentoml|kserve/|seldonio/|openvino/model_server|(pytorch|tensorflow|huggingface-pytorch|mxnet)-inference|xinference|huggingface-pytorch-tgi", "published images of general model servers"),
    ("image-image-or-speech", _IMAGE, _KNOWN, 3.0, "online-serving", r"(?i)comfyui|[/_-]webui|stable-?diffusion|automatic1111|invokeai|whisper|speecht5|[/_-](riva|tts)[-:/]|fooocus|faster-whisper|max-diffusion|opea/", "published servers of pictures and speech"),
    ("image-home-ai", _IMAGE, _KNOWN, 4.0, "online-serving", r"(?i)/(frigate|deepstream|immich-machine-learning|text-generation-webui|open-webui|anything-?llm|wyoming-\w+|kokoro\w*|coqui\w*|piper|deepstack|compreface\w*|speaches|libretranslate|lobe-chat|n8n)\b", "published servers that homes and small companies run"),
    ("image-named-inference", _IMAGE, _FOUND, 3.0, "online-serving", r"(?i)[/_-](infer(ence|encer)?|predict(ion|or)?|serv(e|er|ing)|model-?(server|api)|llm-?(server|api)|chatbot|generator|fastapi|gradio|streamlit)([:_@/\s-]|$)", "an image named for serving"),
    ("env-model-server", _ENV, _KNOWN, 2.5, "online-serving", r"(^|\s)(VLLM_\w+|NIM_\w+|OLLAMA_\w+|TGI_\w+|SGLANG_\w+|TRITON_\w+|DYN_\w+|JETSTREAM_\w+|HF_MODEL_ID|SERVED_MODEL\w*|MAX_TOTAL_TOKENS|MAX_BATCH_PREFILL_TOKENS|AIP_HTTP_PORT|SAGEMAKER_MODEL\w*)=", "variables of model servers"),
    ("env-serving", _ENV, _FOUND, 1.5, "online-serving", r"(?i)(^|\s)\w*(inference|predict|uvicorn|gunicorn|serving|whisper|embedding)\w*=", "variables named for serving"),
    ("env-model-name", _ENV, _FOUND, 0.75, "online-serving", r"(^|\s)(MODEL_(ID|NAME|PATH|DIR|URI|FILE|V\d_NAME)|HF_HOME|LLM_\w+|STORAGE_URI|REDIS_URL|CELERY_\w+|RABBITMQ_\w+|API_(PORT|KEY)|CORS_\w+|MAX_CONCURRENT\w*)=", "a model, a queue or an interface to configure: rather a server"),
    ("shape-http-port", _SHAPE, _FOUND, 1.25, "online-serving", r"\bport:(80|443|3000|4000|5000|5001|7860|8000|8001|8080|8081|8188|8443|8500|8501|9000|11434|30000)\b", "ports on which servers listen"),
    ("shape-ready-probe", _SHAPE, _FOUND, 1.25, "online-serving", r"\bprobe:ready\b", "somebody waits until it can answer"),
    ("owner-replicated", _OWNER, _FOUND, 0.5, "online-serving", r"\b(Deployment|ReplicaSet|StatefulSet)\.apps", "runs until told otherwise, as servers do"),
    ("name-inference", _NAME, _FOUND, 1.5, "", r"(?i)(^|[\s_-])(infer(ence)?|serv(e|er|ing)|predict(or|ion)?|vllm|sglang|tgi|triton|llm|llama|whisper|embedd?ings?|rerank(er)?|comfyui|stable-diffusion|ollama|chatbot|api)([\s_\d-]|$)", "people name things after their purpose, and copy names: weak"),
    ("idle-not-serving", _RUN, _FOUND, -8.0, "", _ONLY_WAITS, "nothing but waiting is executed, so the image's server is not"),
)  # fmt: skip

_INTERACTIVE: tuple[_Row, ...] = (
    ("kind-notebook", _OWNER, _KNOWN, 5.5, "notebook", r"\b(Notebook\.kubeflow\.org|Workspace\.(kubeflow\.org|workspace\.jupyter\.org)|NotebookSession|RStudio\.\w+|JupyterNotebook\.)", "notebook controllers"),
    ("kind-dev-workspace", _OWNER, _KNOWN, 5.5, "ide", r"\b(DevWorkspace\.workspace\.devfile\.io|CodeServer\.|VirtualServer\.virtualservers\.coreweave|VirtualMachine(Instance)?\.kubevirt\.io)", "development environments and virtual machines that people log in to"),
    ("kind-run-ai-interactive", _OWNER, _KNOWN, 5.5, "dev-pod", r"\bInteractiveWorkload\.run\.ai", "Run:ai's workspaces"),
    ("label-notebook", _LABEL, _KNOWN, 5.0, "notebook", r"\bnotebook-name=|component=singleuser-server|hub\.jupyter\.org/(username|servername)=|com\.coder\.(workspace|resource)", "Kubeflow, JupyterHub and Coder write it on a person's pod"),
    ("run-jupyter", _RUN, _KNOWN, 8.0, "notebook", r"\bjupyter[ -](lab|notebook|server|hub|labhub)\b|jupyterhub-singleuser|start-(notebook|singleuser)(\.sh|\.py)?|marimo edit", "a notebook server, executed"),
    ("run-ide", _RUN, _KNOWN, 8.0, "ide", r"\b(code-server|openvscode-server|code tunnel|rstudio-server|rserver|theia|jetbrains|start-coder)\b", "an IDE, executed"),
    ("run-desktop", _RUN, _KNOWN, 6.0, "virtual-desktop", r"\b(vncserver|x11vnc|tigervnc|novnc|websockify|xrdp|selkies|startxfce4|kasm)\b", "a desktop to look at"),
    ("run-sshd", _RUN, _FOUND, 2.5, "ssh", r"(^|[\s/;&|])sshd( -[Dde]|$)|service ssh start", "a shell server in the foreground; MPI workers have one too"),
    ("mpi-not-interactive", _RUN, _FOUND, -6.0, "", r"\b(mpirun|mpiexec|orted)\b|/etc/mpi/|OMPI_", "beside mpirun a shell server is MPI's transport"),
    ("run-only-sleep", _RUN, _FOUND, 1.5, "dev-pod", _ONLY_WAITS, "nothing else than waiting: somebody will exec into it"),
    ("run-ends-in-sleep", _RUN, _FOUND, 1.25, "dev-pod", r"(sleep (infinity|inf|\d+d)|tail -f /dev/null|while true; *do *sleep \d+; *done)[\s;&\"'\w]*$", "prepares something and then waits for somebody"),
    ("run-repl", _RUN, _FOUND, 2.0, "dev-pod", r"^(/bin/)?(ba|z)?sh$|^tmux\b|^screen\b|^(i?python3?)$", "a shell without a script"),
    ("image-notebook", _IMAGE, _KNOWN, 4.0, "notebook", r"(?i)jupyter|[/_-]notebooks?[:_-]|notebook-servers|kubeflownotebookswg|k8s-singleuser|/rstudio|rocker/|datascience-notebook", "published images of notebooks"),
    ("image-ide", _IMAGE, _KNOWN, 4.0, "ide", r"(?i)code-?server|openvscode|vscode|/theia|/coder/|linuxserver/(code|webtop)|devcontainers?[/:]|gitpod/", "published images of IDEs"),
    ("image-ssh-or-desktop", _IMAGE, _FOUND, 4.0, "ssh", r"(?i)[/_-](ssh|sshd|vnc|novnc|desktop|webtop|selkies|xfce|kasm\w*|workstation|devbox|dev-?env|dev-?pod|sandbox)([:_@/\s-]|$)", "an image to log in to"),
    ("env-notebook", _ENV, _KNOWN, 3.0, "notebook", r"(^|\s)(NB_PREFIX|NB_USER|NB_UID|JUPYTER_\w+|JUPYTERHUB_\w+|GRANT_SUDO|CODER_\w+|VSCODE_\w+)=", "variables of notebook images"),
    ("env-login", _ENV, _FOUND, 2.0, "ssh", r"(^|\s)(SSH_PUBLIC_KEY|AUTHORIZED_KEYS|VNC_\w+|DISPLAY|SSH_PASSWORD|PASSWORD_ACCESS)=", "somebody logs in"),
    ("shape-notebook-port", _SHAPE, _FOUND, 1.25, "notebook", r"\bport:(8888|22|2222|3389|5900|5901|6080)\b", "ports of notebooks, shells and desktops"),
    ("name-interactive", _NAME, _FOUND, 1.5, "", r"(?i)(^|[\s_-])(jupyter\w*|notebook|code-?server|vscode|dev(box|pod|env)?|workspace|interactive|debug|shell|ssh|playground)([\s_\d-]|$)", "people name things after their purpose, and copy names: weak"),
)  # fmt: skip

_OTHER: tuple[_Row, ...] = (
    ("owner-daemon-set", _OWNER, _KNOWN, 2.5, "infrastructure", r"\bDaemonSet\.apps|\bDaemonSet\.extensions", "one on each node: plumbing"),
    ("kind-gpu-operator", _OWNER, _KNOWN, 6.0, "infrastructure", r"\b(ClusterPolicy|NVIDIADriver)\.nvidia\.com|DeviceConfig\.amd\.com|NIMCache\.apps\.nvidia\.com", "what installs drivers and fetches models"),
    ("kind-data-job", _OWNER, _KNOWN, 4.0, "data-processing", r"\b(SparkApplication\.sparkoperator|ScheduledSparkApplication|DaskCluster|DaskJob|FlinkDeployment)", "data processing"),
    ("image-device-plugin", _IMAGE, _KNOWN, 6.0, "infrastructure", r"(?i)device-?plugin|gpu-feature-discovery|node-feature-discovery|dra-driver|dra-example-driver|k8s-driver-manager|kubevirt-gpu|vgpu-(device-)?manager|/hami", "device plugins, labellers and DRA drivers"),
    ("image-driver", _IMAGE, _KNOWN, 6.0, "infrastructure", r"(?i)nvidia/driver:|nvidia-driver|driver-installer|container-toolkit|gpu-operator(:|$)|mig-manager|k8s-mig|fabric-?manager|gdrdrv|cos-gpu-installer|amdgpu-driver", "drivers and what prepares a node"),
    ("image-exporter", _IMAGE, _KNOWN, 6.0, "infrastructure", r"(?i)dcgm(-exporter|:|$)|/dcgm|gpu[-_]exporter|neuron-monitor|neuron-scheduler|device-metrics-exporter|operator-validator|habana-ai-metric|npu-exporter|xpumanager", "exporters and validators"),
    ("image-placeholder", _IMAGE, _KNOWN, 5.0, "placeholder", r"(^|/)(pause|hello-app|echo-?server|agnhost|nginx(-slim)?|httpd|hello-world|whoami|sleep)(:|@|\s|$)", "programs that do nothing with a device"),
    ("image-device-test", _IMAGE, _KNOWN, 6.0, "device-test", r"(?i)cuda-?samples?|vector-?add|gpu-operator-validator|cuda-vector|/k8s-samples|deviceQuery|hip-sample|rocm-smi|device-test", "samples that show that a device works"),
    ("image-benchmark", _IMAGE, _KNOWN, 5.5, "benchmark", r"(?i)(nccl|rccl|hccl|mpi)[-_]?(tests?|benchmarks?|rdma)|gpu[-_]?burn|nvbandwidth|nbody|mlperf|[/_-]benchmarks?([:_/-]|$)|perftest|stress-?ng|[/_-]hpl[:_-]|genai-perf|guidellm|fmperf|inference-?perf|dcgmproftester", "benchmarks and burn-in"),
    ("image-data-or-render", _IMAGE, _KNOWN, 4.5, "data-processing", r"(?i)rapidsai|/rapids|spark-rapids|[/_-]blender|ffmpeg|cvat|/dask|nemo-curator|omniverse|unreal|gromacs|lammps|namd|quantum-espresso|openfoam|hpcg", "data processing, rendering and simulation"),
    ("image-media", _IMAGE, _KNOWN, 5.0, "rendering", r"(?i)/(plex|pms-docker|jellyfin|emby(server)?|tdarr\w*|unmanic|handbrake|obs|srs|mediamtx|channels-dvr|kasm-stream|sunshine|wolf)\b", "media servers use the device to transcode"),
    ("image-volunteer-or-mining", _IMAGE, _KNOWN, 5.0, "hpc-simulation", r"(?i)/(folding-?at-?home|fah-gpu|boinc\w*|xmrig|trex|lolminer|nbminer|hashcat)\b", "volunteer computing and mining"),
    ("image-conversion", _IMAGE, _KNOWN, 5.0, "model-conversion", r"(?i)inference-checkpoint|checkpoint-(converter|conversion)|model-?(converter|optimizer|downloader|initializer|exporter)|dataset-initializer|/optimum-(exporter|intel)", "converts or fetches a model"),
    ("image-evaluation", _IMAGE, _FOUND, 4.5, "evaluation", r"(?i)[/_-](eval(s|uate|uator|uation)?|lm-eval\w*|evalscope|opencompass)([:_@/\s-]|$)", "evaluates a model"),
    ("run-smi", _RUN, _KNOWN, 1.5, "device-test", r"(^|[\s/;&|\"'])(nvidia-smi|hl-smi|rocm-smi|amd-smi|xpu-smi|npu-smi|neuron-ls|neuron-top|tpu-info|nvtop|rocminfo|deviceQuery|clinfo)\b", "asks the device whether it is there"),
    ("run-only-smi", _RUN, _FOUND, 5.5, "device-test", r"^([\w/]*sh( -[a-z]+)*( --)? )?[^\n]{0,80}(nvidia-smi|hl-smi|rocm-smi|npu-smi|neuron-ls|tpu-info)[^\n;&|]{0,80}([;&|]+ *(done|sleep|echo|trap|exit|true|wait|ls|grep|date|head|tail)\b[^;&|]{0,80})*[\s;&]*$", "asks the device and does little else"),
    ("run-device-code", _RUN, _FOUND, 6.0, "device-test", r"(?i)cuda\.is_available\(\)|jax\.(local_)?devices?(_count)?\(|list_(physical_)?devices|cuda\.device_count|vector_?add|smoke[_-]?test|((gpu|cuda|device|npu)[-_]?(test|check|info)|(test|check)[-_](gpu|cuda|device|npu))s?\w{0,20}(\.(py|sh|p)|\s|$)", "code that asks for the device"),
    ("run-benchmark", _RUN, _KNOWN, 8.0, "benchmark", r"\b(all_reduce|all_gather|alltoall|reduce_scatter|broadcast|sendrecv)(_perf|_test)|nccl-tests|rccl-tests|nvbandwidth|ib_(write|read|send)_(bw|lat)|\bfi_(info|pingpong)|osu_\w+|bandwidthTest|p2pBandwidth|busGrind|dcgmproftester|dcgmi diag", "measures links and devices"),
    ("run-burn", _RUN, _KNOWN, 8.0, "burn-in", r"(?i)gpu[-_]burn|stress-ng|burn[-_]?in|--numbodies|nbody", "heats a device to test it"),
    ("run-bench-server", _RUN, _KNOWN, 10.0, "benchmark", r"(?i)\b(vllm bench|sglang\.bench\w*|trtllm-bench|genai-perf|perf_analyzer|guidellm|llmperf|locust|llama-bench)\b|benchmark[_-](serving|throughput|latency)", "load generators: they live in the images of the servers that they measure"),
    ("run-bench-script", _RUN, _FOUND, 6.5, "benchmark", r"(?i)\bmlperf\b|bench(mark)?[\w-]{0,40}\.(py|sh)\b", "a script named after measuring"),
    ("run-conversion", _RUN, _FOUND, 6.5, "model-conversion", r"(?i)(convert|merge[_-]?(lora|peft|adapter|weights)|consolidat|export|quantiz|tensoriz|serializ|reshard)[\w-]{0,40}\.(py|sh)\b|trtllm-build|\btrtexec\b|convert_checkpoint|optimum-cli export|llmcompressor|-m [\w.]{0,40}(tensorize|convert|quantize|export)\w*", "changes the form of a model"),
    ("run-compile", _RUN, _FOUND, 6.5, "model-compile", r"(?i)(^|[\s/_])compile[\w-]{0,40}\.(sh|py)\b|\.(sh|py) compile\b|neuronx?-cc compile|torch_neuronx\.trace", "compiles a model ahead of time"),
    ("run-download", _RUN, _FOUND, 6.0, "model-download", r"(?i)(huggingface-cli|hf) download|snapshot_download|download[_-](model|weights|data\w*)[\w-]{0,40}(\.py|\.sh)?\b|modelscope download|wget [^;&]*(safetensors|gguf)", "fetches a model"),
    ("run-nim-cache", _RUN, _KNOWN, 12.0, "model-download", r"^(download-to-cache|create-model-store|list-model-profiles)\b", "NIM images fetch a model with this command instead of serving it"),
    ("run-data", _RUN, _FOUND, 6.0, "data-processing", r"(?i)(pre-?process|tokeniz|prep(are)?[_-]?data|data[_-]?(prep|process|load)|[\s/_-](extract|augment|ingest|etl|cura(te|tor)))[\w-]{0,40}\.(py|sh)\b|\bffmpeg\b|spark-submit|dask[- ](cuda-)?worker|cudf|dask_cuda", "prepares data"),
    ("run-evaluation", _RUN, _FOUND, 6.5, "evaluation", r"(?i)\blm[-_]eval|eval(uate|uation|uator)?([_-][\w-]{0,40})?\.(py|sh)\b|_eval(uation)?\.(py|sh)|-m [\w.]{0,40}(eval|evaluate|evaluator)\b|run_evaluation|opencompass|evalscope|simple-evals|mteb run", "evaluates a model"),
    ("run-hpc", _RUN, _KNOWN, 7.0, "hpc-simulation", r"(^|[\s/;&|\"'])(lmp(_\w+)?|gmx(_mpi)?|namd\d?|pmemd\w*|vasp_\w+|simpleFoam|nek5000|xhpl|xhpcg|hpcg|pw\.x|cp2k\w*|amber\d*) ", "simulation in physics and chemistry"),
    ("run-render", _RUN, _KNOWN, 7.0, "rendering", r"(^|[\s/;&|])(blender|povray|arnold|redshift|octane|UnrealEditor|Xorg|sunshine|steam)\b", "renders pictures"),
    ("run-miner", _RUN, _KNOWN, 6.0, "mining", r"(?i)\b(xmrig|ethminer|t-rex|nbminer|lolminer|gminer|phoenixminer|hashcat)\b|stratum\+tcp", "mines or cracks hashes"),
    ("run-placeholder", _RUN, _FOUND, 4.5, "placeholder", r"^(/?pause|\d+[ms]|(/bin/)?(sh -c |bash -c )?(echo|date|true|sleep \d{1,3}[ms]?)\b[^;&|]*)$", "waits shortly or says something: an example"),
    ("run-driver-install", _RUN, _KNOWN, 7.0, "infrastructure", r"\bnvidia-driver init|nsenter (-t|--target)[ =]1|gpu-feature-discovery|config-manager|nvidia-(device-plugin|mig-manager)|modprobe|insmod", "acts on the node"),
    ("env-device-plugin", _ENV, _KNOWN, 5.0, "infrastructure", r"(^|\s)(DEVICE_LIST_STRATEGY|MIG_STRATEGY|DCGM_EXPORTER_\w+|FAIL_ON_INIT_ERROR|PASS_DEVICE_SPECS|DRIVER_CONFIG_DIGEST|GPU_CLIENTS_FILE|DEFAULT_GPU_CLIENTS_NAMESPACE|KUBELET_\w+|CDI_\w+)=", "variables of drivers and exporters"),
    ("name-test", _NAME, _FOUND, 1.5, "", r"(?i)(^|[\s_-])(smoke|tests?|bench(mark)?|burn(-?in)?|vectoradd|cuda-sample|demo|sample|example|device-plugin|driver|exporter|eval(uat\w+)?|convert(er)?|preprocess(ing)?|tokeniz\w+|download(er)?|placeholder|dcgm|nccl)([\s_\d-]|$)", "people name things after their purpose, and copy names: weak"),
)  # fmt: skip


def _rules(workload_class: WorkloadClass, rows: tuple[_Row, ...]) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            name=name,
            where=where,
            pattern=pattern,
            workload_class=workload_class,
            weight=weight,
            decided_by=decided_by,
            activity=activity,
            why=why,
        )
        for name, where, decided_by, weight, activity, pattern, why in rows
    )


RULES: tuple[Rule, ...] = (
    *_rules(WorkloadClass.TRAINING, _TRAINING),
    *_rules(WorkloadClass.INFERENCE, _INFERENCE),
    *_rules(WorkloadClass.INTERACTIVE, _INTERACTIVE),
    *_rules(WorkloadClass.OTHER, _OTHER),
)
"""All rules, in the order of the classes that wins ties."""
