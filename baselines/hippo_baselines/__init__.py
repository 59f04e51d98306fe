"""The methods that HiPPO is compared with, one file per method.

The package is called `hippo_baselines`, because other installed packages may be called `baselines`.
"""
