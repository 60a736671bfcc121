-- Every word of the policy language: what it is called with, what it gives and what it means.
-- The words themselves are in dsl.lua and the modules it names; from here come the keys that
-- tables may have, the stubs for editors (stubs.lua) and the tables of README.md.
--
-- A word has `usage`, as people read it, and `doc`. For editors, in LuaLS's notation: `params`,
-- { name, type } each, and `returns`, one type or a list; or `type`, for a value; or `members`, for a library. Types
-- that begin with a capital are those of `tables` and `aliases`.

local arch = require "arch"
local bootloaders = require "bootloaders"
local machine = require "machine"

local words = {}

words.tables = require "words.tables"

-- Tables in the order in which they are best read.
words.table_order = { "Profile", "Rule", "Use", "Document", "Dhcp", "PxeMenu", "PxeItem", "Site", "Menu", "Rollout", "Once", "HttpClient", "HttpCache", "Event", "InventoryFile",
                      "Request", "Response" }

-- Types that are no tables of ours: name, doc, and what they are (nil: nobody's business).
words.aliases = {
    { "Verdict", "A verdict, such as `disk` or `deny \"why\"`" },
    { "Matcher", "A matcher, such as `prefix \"52:54:00\"`" },
    { "Template", "A template, read from a file" },
    { "Inventory", "Hosts by a key: a rule may `boot` it, a field may be in it, and `hosts:get(machine)` is that host as a function may answer it, or nil",
      "Verdict|{ get: fun(self: any, machine: Machine|string|number): Use? }" },
    { "Generator", "A generator of values for tests" },
    { "Choice", "What a rule may boot: a profile's name, a verdict, or a table", "string|Verdict|Use|Profile|Inventory" },
    { "Matches", "What a field may be matched with: a value, a matcher, a function, or a list of these",
      "string|number|Matcher|table|(fun(value: any, machine: Machine): boolean?, string?)" },
}

words.list = {
    { "profile", usage = 'profile "name" {…}', doc = "what a machine boots",
      params = { { "name", "string" } }, returns = "fun(body: Profile)" },
    { "rule", usage = 'rule "name" {…}', doc = "who boots what",
      params = { { "name", "string" } }, returns = "fun(body: Rule)" },
    { "dhcp", usage = "dhcp {…}", doc = "how DHCP is answered, for the whole site",
      params = { { "body", "Site" } } },
    { "serve", usage = 'serve "/path/:name" (function (request) … end)', doc = "an HTTP path of the policy's own",
      params = { { "path", "string" } },
      returns = "fun(answer: fun(request: Request): (string|Response)?, string?)" },

    { "disk", usage = "disk", doc = "leave network boot for the local disk", type = "Verdict" },
    { "ignore", usage = "ignore", doc = "silence, as if moonboot were not there", type = "Verdict" },
    { "shell", usage = "shell", doc = "iPXE's shell, for that machine", type = "Verdict" },
    { "deny", usage = 'deny "why"', doc = "a refusal that the machine shows",
      params = { { "why", "string" } }, returns = "Verdict" },
    { "chain", usage = 'chain "url"', doc = "an iPXE script or program from somewhere else",
      params = { { "url", "string" } }, returns = "Verdict" },
    { "menu", usage = "menu {…}", doc = "a person chooses",
      params = { { "body", "Menu" } }, returns = "Verdict" },
    { "once", usage = "once {…}", doc = "until an event says that it is done, then something else",
      params = { { "body", "Once" } }, returns = "Verdict" },
    { "rollout", usage = "rollout {…}", doc = "a stable part of the machines boots something else",
      params = { { "body", "Rollout" } }, returns = "Verdict" },

    { "prefix", usage = 'prefix "52:54:00"', doc = "begins with it",
      params = { { "text", "string" } }, returns = "Matcher" },
    { "suffix", usage = 'suffix "-gpu"', doc = "ends with it",
      params = { { "text", "string" } }, returns = "Matcher" },
    { "glob", usage = 'glob "R6?0*"', doc = "a shell's pattern, of the whole value",
      params = { { "pattern", "string" } }, returns = "Matcher" },
    { "pattern", usage = 'pattern "^R%d+$"', doc = "a Lua pattern, anywhere in the value",
      params = { { "pattern", "string" } }, returns = "Matcher" },
    { "subnet", usage = 'subnet "10.0.0.0/8"', doc = "an address in that network",
      params = { { "network", "string" } }, returns = "Matcher" },
    { "range", usage = "range(100, 199)", doc = "from the first to the last: numbers, IPv4 or MAC addresses",
      params = { { "first", "string|number" }, { "last", "string|number" } }, returns = "Matcher" },
    { "except", usage = "except(…)", doc = "anything but a value, a list, a matcher or a function",
      params = { { "what", "Matches" } }, returns = "Matcher" },
    { "present", usage = "present", doc = "any value, but one", type = "Matcher" },
    { "absent", usage = "absent", doc = "no value", type = "Matcher" },

    { "include", usage = 'include "file.lua"', doc = "runs another file of the policy, here",
      params = { { "file", "string" } } },
    { "require", usage = 'require "lib.hosts"', doc = "the value of the module `lib/hosts.lua` or `lib/hosts/init.lua`, run once",
      params = { { "module", "string" } }, returns = "any" },
    { "read", usage = 'read("file", default)', doc = "a file's text",
      params = { { "file", "string" }, { "default?", "any" } }, returns = "string" },
    { "list", usage = 'list("directory", default)', doc = "the names in a directory, sorted; of directories with a slash behind",
      params = { { "directory", "string" }, { "default?", "any" } }, returns = "string[]" },
    { "sealed", usage = 'sealed "seal1.…"', doc = "the text that `moonboot seal` has sealed for this server",
      params = { { "sealed", "string" } }, returns = "string" },
    { "inventory", usage = 'inventory "hosts.yaml"', doc = "hosts by a key: what each boots, its arguments and vars",
      params = { { "file", "string|InventoryFile" } }, returns = "Inventory" },
    { "problem", usage = 'problem("file", line, "text")', doc = "what is wrong in a file that was read, reported with the policy's own mistakes",
      params = { { "file", "string" }, { "line", "integer" }, { "text", "string" } } },
    { "template", usage = 'template "file"', doc = "a document with `{{…}}` in it, for `config`",
      params = { { "file", "string" } }, returns = "Template" },

    { "on", usage = 'on("event", function (machine, event) … end)', doc = "what to do when that has happened",
      params = { { "event", "string" }, { "handler", "fun(machine: Machine, event: Event)" } } },
    { "emit", usage = 'emit("event", machine, { name = "text" })', doc = "says that this has happened to a machine, or to that of an address; it is taken in when the function has ended",
      params = { { "event", "string" }, { "machine", "Machine|string" }, { "params?", "table<string, string>" } } },
    { "machines", usage = "machines", doc = "what has happened to machines", members = {
        { "get", usage = 'machines.get("52:54:00:12:34:56")', doc = "the record of one: `mac`, `uuid`, `serial` and `events`, the latest last; nil: nothing is known of it",
          params = { { "machine", "string" } }, returns = "table?" },
        { "stuck", usage = "machines.stuck(seconds)", doc = "those that have not got past a stage of their boot for so long: a list of `mac`, `uuid`, `serial`, `at` and `since`",
          params = { { "seconds", "number" } }, returns = "table[]" },
    } },
    { "state", usage = "state", doc = "what a policy remembers", members = {
        { "get", usage = "state.get(key)", doc = "the value, or nil",
          params = { { "key", "string" } }, returns = "any" },
        { "set", usage = "state.set(key, value, { ttl = seconds })", doc = "true, or nil and why not; with a `ttl` it is forgotten after that time",
          params = { { "key", "string" }, { "value", "any" }, { "options?", "{ ttl?: number }" } }, returns = { "true?", "string?" } },
        { "update", usage = "state.update(key, function (value) return … end)", doc = "the value that the function makes of the one there is, whoever else writes; nil deletes",
          params = { { "key", "string" }, { "change", "fun(value: any): any" }, { "options?", "{ ttl?: number }" } }, returns = { "any", "string?" } },
        { "delete", usage = "state.delete(key)", doc = "forgets it: true, or nil and why not",
          params = { { "key", "string" } }, returns = { "true?", "string?" } },
        { "each", usage = "state.each(prefix)", doc = "for loops: keys that begin so, in order, and values",
          params = { { "prefix?", "string" } }, returns = "fun(): string?, any" },
    } },
    { "sleep", usage = "sleep(seconds)", doc = "waits, and nobody else with it; in a function of `boot`, `serve` or `on`",
      params = { { "seconds", "number" } } },

    { "dns", usage = "dns", doc = "names and addresses", members = {
        { "lookup", usage = "dns.lookup(name)", doc = "its IPv4 addresses, or nil and why there are none",
          params = { { "name", "string" } }, returns = { "string[]?", "string?" } },
        { "ptr", usage = "dns.ptr(address)", doc = "the name of an IPv4 address, or nil and why there is none",
          params = { { "address", "string" } }, returns = { "string?", "string?" } },
    } },
    { "parallel", usage = "parallel {…}", doc = "runs functions that wait all at once: a table of what each returned, and one of what went wrong, by their keys",
      params = { { "functions", "table<any, fun(): any, string?>" } }, returns = { "table", "table" } },
    { "http", usage = "http", doc = "other servers", members = {
        { "client", usage = "http.client {…}", doc = "a server: `client:get(path, …)` and `head`, `delete`, `post`, `put`, `patch`",
          params = { { "options", "HttpClient" } }, returns = "table" },
    } },
    { "json", usage = "json", doc = "JSON", members = {
        { "decode", usage = "json.decode(text)", doc = "its value, or nil and what is wrong",
          params = { { "text", "string" } }, returns = { "any", "string?" } },
        { "encode", usage = "json.encode(value)", doc = "its text, names in order, or nil and what is wrong",
          params = { { "value", "any" } }, returns = { "string?", "string?" } },
        { "array", usage = "json.array {…}", doc = "marks a list, which an empty one cannot show by itself",
          params = { { "list?", "table" } }, returns = "table" },
        { "null", usage = "json.null", doc = "what null is read as, and written from", type = "lightuserdata" },
    } },
    { "yaml", usage = "yaml", doc = "YAML", members = {
        { "decode", usage = "yaml.decode(text)", doc = "its value, or nil and what is wrong; null is `json.null`",
          params = { { "text", "string" } }, returns = { "any", "string?" } },
    } },
    { "log", usage = "log", doc = "the service's log, with the policy's file and line", members = {
        { "debug", usage = "log.debug(…)", doc = "for whoever looks closely", params = { { "...", "any" } } },
        { "info", usage = "log.info(…)", doc = "as `print`", params = { { "...", "any" } } },
        { "warn", usage = "log.warn(…)", doc = "something is odd", params = { { "...", "any" } } },
        { "error", usage = "log.error(…)", doc = "something is wrong", params = { { "...", "any" } } },
    } },
}

-- What {{…}} and templates have besides Lua's basics, vars and fields.
words.helpers = {
    { "json", usage = "json(value)", doc = "as JSON, quotes included; tables too" },
    { "yaml", usage = "yaml(value)", doc = "as YAML, on one line" },
    { "sh", usage = "sh(value)", doc = "as one word of a shell; of a list, its words" },
    { "url", usage = "url(text)", doc = "as one component of a URL" },
    { "xml", usage = "xml(text)", doc = "as text of XML" },
    { "b64", usage = "b64(text)", doc = "in Base64" },
    { "config", usage = 'config "name"', doc = "the URL of that document, for this machine alone; with a `/` at the end, what the URLs beneath begin with" },
    { "event", usage = 'event "name"', doc = "the URL where it is POSTed that this has happened, for this machine alone; `event(\"name\", \"once\")`: good once" },
}

words.tests = require "words.tests"

-- Types of fields, as LuaLS has them; any other is a string.
local types = {
    number = "number", set = "table<string, boolean>", labels = "table<string, string>",
    arch = "Arch",
}

local function sorted(set)
    local list = {}
    for name in pairs(set) do
        list[#list + 1] = name
    end
    table.sort(list)
    return list
end

-- The machine, and a matcher or a text for each of its fields.
do
    local fields, matches = {}, {}
    for i, field in ipairs(machine.fields) do
        fields[i] = { field.name .. "?", types[field.type] or "string", field.doc }
        local labels = field.type == "labels" and "table<string, Matches>"
        matches[i] = { field.name .. "?", labels or "Matches", field.doc }
    end
    words.tables.Machine = { doc = "A machine, as functions see it.", fields = fields }
    words.tables.Match = { doc = "Which machines a rule means.", fields = matches }
    words.table_order[#words.table_order + 1] = "Machine"
    words.table_order[#words.table_order + 1] = "Match"
end

-- A type that is one of these names.
local function one_of(names)
    local list = {}
    for i, name in ipairs(sorted(names)) do
        list[i] = ('"%s"'):format(name)
    end
    return table.concat(list, "|")
end

table.insert(words.aliases, { "Arch", "A kind of firmware", one_of(arch.names) .. "|string" })
table.insert(words.aliases, { "Loader", "A boot program", one_of(bootloaders.programs) })

-- The set of keys that such a table may have.
function words.keys(name)
    local set = {}
    for _, field in ipairs(words.tables[name].fields) do
        local key = field[1]:match "^[%a_][%w_]*"
        if key then
            set[key] = true
        end
    end
    return set
end

return words
