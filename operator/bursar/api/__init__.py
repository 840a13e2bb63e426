"""The custom resources of group `bursar.dev` and the vocabulary that is written on objects.

One module a resource (`aibudget`, `pricebook`, `classificationpolicy`, `aimodel`, `verdict`), the
scalars that they share (`common`), every key of a label or annotation (`meta`), conditions
(`conditions`), which fields this release acts upon (`inforce`), and the generator of the
CustomResourceDefinitions (`crd`). Nothing in here does I/O.
"""
