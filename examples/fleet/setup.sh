#!/bin/sh
# Makes what the fleet shares and no repository should have, here: the password of Redis's user, and
# the key of machines' tokens. What is there stays.
set -eu
cd "$(dirname "$0")"
umask 077
# Nobody logs in as "default", but Redis itself reads its file back as that user at its start: with fewer
# rights than these it would leave out what it may not do.
[ -e redis.password ] || openssl rand -hex 32 > redis.password
[ -e tokens.keys ] || openssl rand -hex 32 > tokens.keys
cat > users.acl << END
user default off ~* &* +@all
user moonboot on >$(cat redis.password) ~moonboot:* +eval +evalsha +ping +select +time +hget +hset +hdel +hincrby +zadd +zrem +zrangebylex +zrangebyscore
END
