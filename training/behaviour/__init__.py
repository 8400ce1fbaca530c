"""The behavioural suite: small texts of our own, each for one thing that a reading has to get right.

After CheckList (Ribeiro et al. 2020). It is measured on and never learnt from: `training.corpus.Leakage` bars it.
"""
