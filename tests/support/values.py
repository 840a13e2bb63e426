"""The chart's values as people combine them, and as they get them wrong, as YAML."""

from __future__ import annotations

VALUE_SETS: dict[str, str] = {
    "defaults": "{}",
    "observing, spelled out": "enforcement: {mode: Observe}",
    "enforcing": "enforcement: {mode: Enforce}",
    "enforcing, pods not stamped": "{enforcement: {mode: Enforce}, policies: {stamping: Never}}",
    "enforcing, stamp vouched for": "{enforcement: {mode: Enforce}, policies: {stamping: Always}}",
    "observing, pods not stamped": "policies: {stamping: Never}",
    "enforcing without policies": "{enforcement: {mode: Enforce}, policies: {install: false}}",
    "definitions kept elsewhere": "crds: {install: false}",
    "rights given elsewhere": "rbac: {create: false}",
    "nothing but the operator": (
        "{crds: {install: false}, policies: {install: false}, rbac: {create: false}}"
    ),
    "an account that is there": "serviceAccount: {create: false, name: clerk}",
    "an account with annotations": (
        'serviceAccount: {name: clerk, annotations: {example.com/role: "arn:x:1"}}'
    ),
    "as in the sandbox": "{replicaCount: 0, enforcement: {mode: Enforce}}",
    "no volume": "persistence: {enabled: false}",
    "a volume of a class": "persistence: {size: 10Gi, storageClassName: fast}",
    "a claim that is there": "persistence: {existingClaim: mine}",
    "other names": "{nameOverride: purse, fullnameOverride: the-purse}",
    "prices": '{currency: EUR, clusterName: berlin, defaultRatePerDeviceHour: "2.50"}',
    "prices of OpenCost": (
        "{catalogStaleDays: 90, prometheus: {url: 'http://prometheus.monitoring:9090',"
        """ openCostQuery: 'node_total_hourly_cost{cluster="a"}', openCostCurrency: EUR}}"""
    ),
    "a ledger that forgets nothing": "ledger: {keepIntervalsDays: 0, keepHourlyDays: 0}",
    "a ledger in PostgreSQL": "ledger: {url: 'postgresql://bursar@db.example:5432/bursar'}",
    "a ledger whose URL is a secret": (
        "{ledger: {existingSecret: {name: ledger, key: url}}, networkPolicy: {enabled: true}}"
    ),
    "a ledger that the API server leads to": (
        'readApi: {writeOpenTo: [10.1.2.3/32, "fd00::1/128"]}'
    ),
    "bounded metrics": (
        "metrics: {workloadRetention: 90m, maxWorkloads: 0, maxTeams: 9, maxModels: 9,"
        " settleSeconds: 0}"
    ),
    "utilizations": 'energy: {utilization: {training: "0.8", inference: "1"}}',
    "several replicas": (
        "{replicaCount: 3, ledger: {url: 'postgresql://bursar@db.example:5432/bursar'}}"
    ),
    "labels to report by": "reportLabels: [app.kubernetes.io/part-of, Stage]",
    "further resources": "acceleratorResources: [example.com/Card_2.x, e.org/c]",
    "another port": "service: {port: 80}",
    "read API by token only": "readApi: {openTo: []}",
    "read API from some networks": 'readApi: {openTo: [10.0.0.0/8, "fd00::/8"]}',
    "no disruption budget": "podDisruptionBudget: {enabled: false}",
    "network policy, open to all": "networkPolicy: {enabled: true}",
    "network policy with peers": """
networkPolicy:
  enabled: true
  ingressFrom:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}
      podSelector: {matchLabels: {app: prometheus}}
    - ipBlock: {cidr: 10.0.0.0/24}
  apiServerPorts: [6443]
  egress:
    - to: [{ipBlock: {cidr: 10.1.0.0/16}}]
      ports: [{port: 5432, protocol: TCP}]
""",
    "service monitor": "serviceMonitor: {enabled: true}",
    "service monitor elsewhere": (
        "serviceMonitor: {enabled: true, namespace: default, labels: {release: p}, interval: 1m}"
    ),
    "where it runs": """
nodeSelector: {kubernetes.io/os: linux}
tolerations: [{key: system, operator: Exists, effect: NoSchedule}]
affinity:
  nodeAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - {weight: 1, preference: {matchExpressions: [{key: gpu, operator: DoesNotExist}]}}
priorityClassName: system-cluster-critical
resources: {requests: {cpu: 1}, limits: {memory: 2Gi}}
""",
    "how it is labelled and pulled": """
image: {repository: example.com/finops/bursar, tag: v1, pullPolicy: Always}
imagePullSecrets: [pull]
podLabels: {team: platform}
podAnnotations: {example.com/scrape: "true"}
logLevel: debug
""",
    "all that is optional": """
enforcement: {mode: Enforce}
networkPolicy: {enabled: true}
serviceMonitor: {enabled: true}
podDisruptionBudget: {enabled: true}
""",
}
"""Values as people combine them, by what they are for; each is rendered, linted and applied."""

NONSENSE: dict[str, str] = {
    "a mode that there is not": "enforcement: {mode: Sometimes}",
    "no mode": "enforcement: {mode: null}",
    "a value that there is not": "unheardOf: 1",
    "a misspelled value below": "enforcement: {strict: true}",
    "more replicas than anybody needs": "replicaCount: 6",
    "a number as text": 'replicaCount: "1"',
    "a currency that is a word": "currency: dollars",
    "a label's key with a space": "reportLabels: [my team]",
    "a negative rate": 'defaultRatePerDeviceHour: "-1"',
    "a rate with an exponent": "defaultRatePerDeviceHour: 2.5e3",
    "a Prometheus that is no URL": "prometheus: {url: prometheus:9090}",
    "a currency of OpenCost that is a word": "prometheus: {openCostCurrency: dollars}",
    "a catalog that is stale at once": "catalogStaleDays: 0",
    "pods forgotten within a year": "ledger: {keepIntervalsDays: 366}",
    "hours forgotten within a day": "ledger: {keepHourlyDays: 1}",
    "a ledger in a file of one's own": "ledger: {url: 'sqlite:////tmp/ledger.db'}",
    "a ledger in another database": "ledger: {url: 'mysql://db/bursar'}",
    "a ledger in two places": (
        "ledger: {url: 'postgresql://db/bursar', existingSecret: {name: ledger}}"
    ),
    "a key that is none": "ledger: {existingSecret: {name: ledger, key: a b}}",
    "an address to write from": "readApi: {writeOpenTo: [10.0.0.1]}",
    "a size without a number": "persistence: {size: much}",
    "a stamping that there is not": "policies: {stamping: Maybe}",
    "a port that there is not": "service: {port: 0}",
    "a level that there is not": "logLevel: loud",
    "a resource without a domain": "acceleratorResources: [gpu]",
    "CEL in the name of a resource": """acceleratorResources: ['example.com/a"] || true']""",
    "a word for a yes": "podDisruptionBudget: {enabled: maybe}",
    "an address that is no network": "readApi: {openTo: [10.0.0.1]}",
    "a network with too long a prefix": "readApi: {openTo: [10.0.0.0/33]}",
    "networks with commas": 'readApi: {openTo: ["10.0.0.0/8,192.168.0.0/16"]}',
    "a peer that there is not": "networkPolicy: {ingressFrom: [{pods: {}}]}",
    "no port of the API server": "networkPolicy: {apiServerPorts: []}",
    "an interval without a unit": "serviceMonitor: {interval: 30}",
    "a name that is no name": "fullnameOverride: Bursar_1",
    "a secret as an object": "imagePullSecrets: [{name: pull}]",
    "an image without a name": 'image: {repository: ""}',
}
"""Values that the schema refuses, by what is wrong with them."""
