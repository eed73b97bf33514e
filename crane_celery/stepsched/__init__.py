"""Scheduling of steps inside one job: which waiting step starts next, on which of the job's nodes, with what.

Pure: no IO and no clock, every time is an argument. The caller owns a Queue, feeds it with what happened (a step was
requested, ended, a node joined or left) and carries out the starts that ``Queue.place`` returns.

need       what a step asks for
ground     what the job's nodes have, and how much of it is free
fit        one step on that ground: the nodes and tasks, or what is lacking
layout     which task runs on which node
queue      the waiting steps in order, with a reservation for one that would starve
reasons    why a step waits, with numbers
"""
