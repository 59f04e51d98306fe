# Targets by name: one rule per experiment, all sweeps, and a clear message for any other name.


def refuse_target(wildcards):
    """Suggest the closest target for a name that is none."""
    if wildcards.target in EXPERIMENTS.files:
        find(wildcards.target, SETTINGS.scale)
    targets = [rule.name for rule in workflow.rules if not rule.has_wildcards()]
    refuse(f"no target {wildcards.target!r}; {closest(wildcards.target, targets)}")


rule sweeps:
    input:
        lambda w: [
            file
            for name in names_at(SETTINGS.scale)
            if kind_of(name, SETTINGS.scale) == "sweep"
            for file in files_of(name)
        ],
    localrule: True


rule unknown_target:
    input:
        refuse_target,
    output:
        "{target}",
    wildcard_constraints:
        target=r"[^/.]+",
    localrule: True


for name in EXPERIMENTS.files:
    if name in {rule.name for rule in workflow.rules}:
        reason = f"an experiment cannot be named {name!r}, which is the name of a rule of the workflow"
        raise WorkflowError(f"{EXPERIMENTS.files[name]}: {reason}")


for name in names_at(SETTINGS.scale):

    rule:
        name:
            name
        input:
            files_of(name),
        localrule: True
