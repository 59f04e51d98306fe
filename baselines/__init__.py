"""The methods that HiPPO is compared with, one file per method."""
