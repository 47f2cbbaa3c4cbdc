"""Trials in isolation, by the kernel's own interfaces (docs/sandbox.md).

    kernel, seccomp, landlock   system calls, as thin as they come; seccomp also holds the list of what a trial may call
    view                        which files a trial may see, and building that view
    launch, keeper, enter       run inside: from a started interpreter to a warm keeper, and from it to a trial
    wire                        the frames between the parent and a keeper
    pool                        the parent's side: a pool of keepers that carries out runs
    probe, selftest             what this machine can do

This file imports nothing: a keeper imports the package before it gives up its rights, and must hold no more than it
needs.
"""
