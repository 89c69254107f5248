# Runs `hoist push` for `aws deploy push`, with the options before and after `deploy`, and the AWS CLI for all else.
_hoist_aws() (
    place=0 deploy='' push='' value=''
    for word in "$@"; do
        place=$((place + 1))
        if [ -n "$value" ]; then
            value=''
            continue
        fi
        case $word in
            --ca-bundle | --cli-binary-format | --cli-connect-timeout | --cli-error-format | --cli-read-timeout | \
                --color | --endpoint-url | --output | --profile | --query | --region) value=follows ;;
            --ca-bundle=* | --cli-binary-format=* | --cli-connect-timeout=* | --cli-error-format=* | \
                --cli-read-timeout=* | --color=* | --endpoint-url=* | --output=* | --profile=* | --query=* | \
                --region=* | --debug | --no-cli-auto-prompt | --no-cli-pager | --no-paginate | --no-sign-request | \
                --no-verify-ssl) ;;
            deploy) if [ -z "$deploy" ]; then deploy=$place; else break; fi ;;
            push)
                if [ -n "$deploy" ]; then push=$place; fi
                break
                ;;
            # The AWS CLI judges all other words.
            *) break ;;
        esac
    done
    if [ -z "$push" ]; then
        @AWS@ "$@"
        exit
    fi
    place=0
    for word in "$@"; do
        place=$((place + 1))
        shift
        if [ "$place" != "$deploy" ] && [ "$place" != "$push" ]; then set -- "$@" "$word"; fi
    done
    if [ "$*" = help ]; then set -- --help; fi
    command hoist push "$@"
)
