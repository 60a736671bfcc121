# Debian's Redis for the end-to-end scripts. redis-tools has the program of redis-server, and starts
# no service: it goes by the name that it is called by.
# shellcheck shell=bash

redis_port=16379
redis='' redis_dir=''

redis_available() {
    [ -x /usr/bin/redis-check-rdb ] && [ -x /usr/bin/redis-cli ]
}

# start_redis DIR [OPTION…]: every acknowledged write is on disk; waits until it answers
start_redis() {
    redis_dir=$1
    shift
    mkdir -p "$redis_dir"
    ln -sf /usr/bin/redis-check-rdb "$redis_dir/redis-server"
    redis_options=("$@")
    run_redis
    wait_for "Redis is there" 10 ask_redis PING
}

run_redis() {
    "$redis_dir/redis-server" --bind 127.0.0.1 --port $redis_port --dir "$redis_dir" --save '' \
        --appendonly yes --appendfsync always --logfile "$redis_dir/log" --enable-debug-command yes \
        ${redis_options[@]+"${redis_options[@]}"} >/dev/null 2>&1 &
    redis=$!
}

stop_redis() { # stop_redis [SIGNAL]
    [ -z "$redis" ] && return
    kill -"${1:-TERM}" "$redis" 2>/dev/null
    wait "$redis" 2>/dev/null
    redis=
}

ask_redis() { # ask_redis COMMAND…
    redis-cli -p $redis_port "$@" 2>&1
}
