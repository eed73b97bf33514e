#!/bin/sh
#CBATCH --job-name complain
#CBATCH --time 1
#CBATCH --output logs/complain.out
# Runs only if some element failed.
touch complaint
