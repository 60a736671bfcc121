std = "luajit"
max_line_length = 120
exclude_files = { "**/.luals/*", "tests/lua/ten_mistakes.lua", "tests/lua/readme" }
-- `host` is the C half, a global of the engine's own state; `util` that of lua/names.lua.
read_globals = { "host" }
files["tests/lua"] = { globals = { "host" }, max_line_length = false }
-- What stands between the engine and its host while tests run.
files["lua/testing/overlay.lua"] = { globals = { "host" } }
files["lua/testing/coverage.lua"] = { globals = { "host" } }
files["lua/testing/watch.lua"] = { globals = { "host" } }
files["lua/testing/world.lua"] = { globals = { "host" } }
files["lua/words.lua"] = { max_line_length = false } -- tables
files["lua/words/*.lua"] = { max_line_length = false } -- tables
files["lua/names.lua"] = { read_globals = { "util" } }
files["lua/lines.lua"] = { read_globals = { "util" } }

-- The words of policies and of their tests.
local words = {
  "profile", "rule", "prefix", "suffix", "glob", "pattern", "subnet", "range", "except", "present", "absent",
  "disk", "ignore", "shell", "deny", "chain", "menu", "rollout", "once", "on", "state", "sleep", "http", "dns", "parallel", "dhcp", "log", "template",
  "include", "inventory", "require", "read", "list", "json", "yaml", "serve", "problem",
}
local test_words = { "test", "contains", "lacks", "matches", "any", "policy", "expect", "event", "wait" }
for _, where in ipairs { "policies", "examples", "tests/wire", "tests/e2e" } do
  files[where] = { read_globals = words }
end
files["**/*_test.lua"] = { read_globals = test_words }
