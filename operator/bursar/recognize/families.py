"""The one table of the ways in which pods ask for accelerators by a resource's name.

It says, for each name, whose device it is and how a share of a device follows from it. It must
never hold a name of hardware that is no accelerator: a network card in `nvidia.com/` is not ours.

Sources of the names and units: the device plug-ins' own documentation (NVIDIA k8s-device-plugin,
ROCm, Intel, AWS Neuron, GKE), and that of HAMi, Volcano, nos, nvshare, and the Chinese clouds'
schedulers. Where a page and a plug-in's code differ, the code counts.
"""

from bursar.recognize.units import Family, Resource, Slicing, Unit

_OTHER_NAME = "no known kind of device or slice; as whole devices if named in acceleratorResources"
_FIXED = (
    "a slice of fixed size of the vendor's own, whose part of a device no label tells; as whole"
    " devices if named in acceleratorResources"
)
_RUN_AI = "a quota of Run:ai, and no device: what a pod was given stands in its annotations"

FAMILIES: tuple[Family, ...] = (
    Family(
        domain="nvidia.com",
        vendor="nvidia",
        starts=("gpu", "mig-"),
        reason=_OTHER_NAME,
        resources=(
            Resource(name="gpu", unit=Unit.GPU),
            Resource(name=r"gpu\.shared", unit=Unit.GPU_REPLICA),
            Resource(name=r"mig-\d+g\.\d+gb[a-z.+-]*", unit=Unit.MIG_SLICE),
            Resource(name=r"gpu-\d{1,4}gb", unit=Unit.GIGABYTES),
        ),
        slicings=(
            Slicing(
                scheduler="HAMi",
                count="gpu",
                memory="gpumem",
                mib=1,
                percent="gpumem-percentage",
                cores="gpucores",
                allocated=("hami.io/vgpu-devices-allocated",),
            ),
        ),
    ),
    Family(
        domain="amd.com",
        vendor="amd",
        starts=("gpu", "spx_", "dpx_", "qpx_", "cpx_"),
        reason=_OTHER_NAME,
        resources=(
            Resource(name="gpu", unit=Unit.AMD_GPU),
            Resource(name=r"[sdqc]px_nps\d", unit=Unit.AMD_PARTITION),
        ),
        slicings=(
            Slicing(
                scheduler="HAMi",
                count="gpu",
                memory="gpumem",
                mib=1,
                percent="gpumem-percentage",
                cores="gpucores",
                allocated=("hami.io/amd-devices-allocated",),
            ),
        ),
    ),
    Family(
        domain="gpu.intel.com",
        vendor="intel",
        starts=("",),
        reason=_OTHER_NAME,
        resources=(
            # The plug-in's flag shared-dev-num is no label, but it multiplies the capacity.
            Resource(name="i915|xe", unit=Unit.EVEN_PART),
            Resource(name="monitoring|(i915|xe)_monitoring", unit=Unit.NOTHING),
        ),
    ),
    Family(
        domain="npu.intel.com",
        vendor="intel",
        starts=("",),
        reason=_OTHER_NAME,
        resources=(Resource(name="accel", unit=Unit.DEVICE),),
    ),
    Family(
        domain="habana.ai",
        vendor="intel",
        starts=("",),
        reason=_OTHER_NAME,
        resources=(Resource(name="gaudi", unit=Unit.DEVICE),),
    ),
    Family(
        domain="google.com",
        vendor="google",
        starts=("tpu",),
        reason=_OTHER_NAME,
        resources=(Resource(name="tpu", unit=Unit.DEVICE),),
    ),
    Family(
        domain="aws.amazon.com",
        vendor="aws",
        starts=("neuron",),
        reason=_OTHER_NAME,
        resources=(
            Resource(name="neuron|neurondevice", unit=Unit.DEVICE),
            Resource(name="neuroncore", unit=Unit.CORE),
        ),
    ),
    Family(
        domain="qualcomm.com",
        vendor="qualcomm",
        starts=("qaic",),
        reason=_OTHER_NAME,
        resources=(Resource(name="qaic", unit=Unit.DEVICE),),
    ),
    Family(
        domain="huawei.com",
        vendor="huawei",
        starts=("",),
        reason=_FIXED,
        resources=(
            Resource(name="Ascend910|Ascend310|Ascend310P", unit=Unit.DEVICE),
            Resource(name="npu-core", unit=Unit.CHIP_CORE),
        ),
        slicings=(
            Slicing(
                scheduler="HAMi",
                count="Ascend{chip}",
                memory="Ascend{chip}-memory",
                mib=1,
                cores="Ascend{chip}-core",
                chip=r"(910|310P)[A-Z]?\d?(-1)?",
                allocated=("hami.io/Ascend{chip}-devices-allocated",),
            ),
        ),
    ),
    Family(
        domain="cambricon.com",
        vendor="cambricon",
        starts=("",),
        reason=_FIXED,
        resources=(Resource(name="mlu", unit=Unit.DEVICE),),
        slicings=(
            Slicing(
                scheduler="the dynamic sMLU of Cambricon or HAMi",
                count="vmlu",
                percent=r"mlu.smlu.vmemory",
                cores=r"mlu\.smlu\.vcore",
                cores_tell=True,
                allocated=("hami.io/cambricon-mlu-devices-allocated",),
            ),
        ),
    ),
    Family(
        domain="hygon.com",
        vendor="hygon",
        starts=("",),
        reason=_FIXED,
        slicings=(
            Slicing(
                scheduler="HAMi",
                count="dcunum",
                memory="dcumem",
                mib=1,
                cores="dcucores",
                allocated=("hami.io/dcu-devices-allocated", "hami.io/hcu-devices-allocated"),
            ),
        ),
    ),
    Family(
        domain="mthreads.com",
        vendor="moore-threads",
        starts=("",),
        reason=_FIXED,
        resources=(Resource(name="gpu", unit=Unit.DEVICE),),
        slicings=(
            Slicing(
                scheduler="HAMi",
                count="vgpu",
                memory="sgpu-memory",
                mib=512,
                cores="sgpu-core",  # groups of cores, not hundredths: they do not tell
                allocated=("hami.io/mthreads-vgpu-devices-allocated",),
            ),
        ),
    ),
    Family(
        domain="metax-tech.com",
        vendor="metax",
        starts=("",),
        reason=_FIXED,
        resources=(Resource(name="gpu", unit=Unit.DEVICE),),
        slicings=(
            Slicing(
                scheduler="HAMi",
                count="sgpu",
                memory="vmemory",
                mib=1024,
                cores="vcore",
                allocated=("hami.io/metax-sgpu-devices-allocated",),
            ),
        ),
    ),
    Family(
        domain="enflame.com",
        vendor="enflame",
        starts=("",),
        reason=_FIXED,
        resources=(Resource(name="gcu", unit=Unit.DEVICE),),
        slicings=(
            Slicing(
                scheduler="HAMi",
                count="drs-gcu",
                memory="gcu-memory",
                cores="gcu-core",
                allocated=("hami.io/enflame-vgpu-devices-allocated",),
            ),
            Slicing(
                scheduler="HAMi",
                count="vgcu",
                percent="vgcu-percentage",
                allocated=("hami.io/enflame-vgpu-devices-allocated",),
            ),
        ),
    ),
    Family(
        domain="kunlunxin.com",
        vendor="kunlunxin",
        starts=("",),
        reason=_FIXED,
        resources=(Resource(name="xpu", unit=Unit.DEVICE),),
        slicings=(
            Slicing(
                scheduler="HAMi",
                count="vxpu",
                memory="vxpu-memory",
                mib=1,
                allocated=("hami.io/kunlun-allocated",),
            ),
        ),
    ),
    Family(
        domain="iluvatar.ai",
        vendor="iluvatar",
        starts=("",),
        reason=_FIXED,
        resources=(Resource(name="gpu", unit=Unit.DEVICE),),
        slicings=(
            Slicing(
                scheduler="HAMi",
                count="{chip}-vgpu",
                memory="{chip}.vMem",
                mib=256,
                cores=r"{chip}\.vCore",
                chip=r"[A-Za-z]{1,4}-?V?\d{1,4}",
                allocated=(
                    "hami.io/{chip}-devices-allocated",
                    "hami.io/iluvatar-vgpu-devices-allocated",
                ),
            ),
            Slicing(
                scheduler="HAMi",
                count="vgpu",
                memory="vcuda-memory",
                mib=256,
                cores="vcuda-core",
                allocated=("hami.io/iluvatar-vgpu-devices-allocated",),
            ),
        ),
    ),
    Family(
        domain="vastaitech.com",
        vendor="vastai",
        starts=("",),
        reason=_FIXED,
        resources=(Resource(name="va", unit=Unit.DEVICE),),
    ),
    Family(
        domain="birentech.com",
        vendor="biren",
        starts=("",),
        reason=_FIXED,
        resources=(Resource(name="gpu", unit=Unit.DEVICE),),
    ),
    Family(
        domain="elasticgpu.com",
        vendor="nvidia",
        starts=("",),
        reason=_OTHER_NAME,
        slicings=(
            Slicing(
                scheduler="Elastic GPU",
                memory="gpu-memory",
                mib=1,
                cores="gpu-core",
                cores_tell=True,
            ),
        ),
    ),
    Family(domain="run.ai", vendor="nvidia", starts=("",), reason=_RUN_AI),
    Family(
        domain="volcano.sh",
        vendor="nvidia",
        starts=("gpu", "vgpu"),
        reason=_OTHER_NAME,
        resources=(Resource(name="gpu-number", unit=Unit.DEVICE),),
        slicings=(
            Slicing(
                scheduler="Volcano",
                count="vgpu-number",
                memory="vgpu-memory",
                mib=1,
                percent="vgpu-memory-percentage",
                cores="vgpu-cores",
                allocated=("volcano.sh/vgpu-ids-new",),
            ),
            Slicing(scheduler="Volcano's first GPU sharing", memory="gpu-memory", mib=1),
        ),
    ),
    Family(
        domain="aliyun.com",
        vendor="nvidia",
        starts=("gpu",),
        reason=_OTHER_NAME,
        resources=(Resource(name="gpu-count", unit=Unit.COUNT),),
        slicings=(
            Slicing(
                scheduler="Alibaba's cGPU",
                memory="gpu-mem",  # GiB or MiB, as it was set up: only the capacity tells
                cores=r"gpu-core\.percentage",
                cores_tell=True,
            ),
        ),
    ),
    Family(
        domain="tencent.com",
        vendor="nvidia",
        starts=("vcuda",),
        reason=_OTHER_NAME,
        slicings=(
            Slicing(
                scheduler="Tencent's gpu-manager",
                memory="vcuda-memory",
                mib=256,
                cores="vcuda-core",
                cores_tell=True,
            ),
        ),
    ),
    Family(
        domain="tke.cloud.tencent.com",
        vendor="nvidia",
        starts=("qgpu",),
        reason=_OTHER_NAME,
        slicings=(
            Slicing(
                scheduler="Tencent's qGPU",
                memory="qgpu-memory",
                mib=1024,
                cores="qgpu-core(-greedy)?",
                cores_tell=True,
            ),
        ),
    ),
    Family(
        domain="vke.volcengine.com",
        vendor="nvidia",
        starts=("mgpu",),
        reason=_OTHER_NAME,
        slicings=(
            Slicing(
                scheduler="Volcengine's mGPU",
                memory="mgpu-memory",
                mib=1,
                cores="mgpu-core",
                cores_tell=True,
            ),
        ),
    ),
    Family(
        domain="nvshare.com",
        vendor="nvidia",
        starts=("gpu",),
        reason=_OTHER_NAME,
        resources=(Resource(name="gpu", unit=Unit.EVEN_PART),),
    ),
    Family(
        domain="deviceclass.resource.kubernetes.io",
        vendor="",
        starts=("",),
        reason="devices of a class of Dynamic Resource Allocation: the pod's status names no claim",
    ),
)
