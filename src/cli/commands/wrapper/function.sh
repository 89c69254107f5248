@CHOOSE@
# An alias named aws would change the second form of a definition, and not every shell has the first.
if [ -n "${BASH_VERSION-}${ZSH_VERSION-}" ]; then
    eval 'function aws { _hoist_aws "$@"; }'
else
    eval 'aws() { _hoist_aws "$@"; }'
fi
