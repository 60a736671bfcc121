-- `moonboot check`: what is wrong with a site and its policies, all of it, and what is odd.

local bundled = require "cli.bundled"
local engine = require "engine"
local findings = require "cli.findings"
local lint = require "lint"
local never_hit = require "lint.never_hit"
local options = require "cli.options"
local path = require "path"
local problems = require "problems"

local HELP = [[
Usage: moonboot check [OPTION]… [-c SITE.YAML] [POLICY.LUA…]
Loads a site's configuration and policies and reports everything that is wrong with
them, as FILE:LINE: MESSAGE, and as warnings what is odd: rules that never decide,
profiles and templates that nothing uses, arguments given twice, files that the site's
directories do not have. Without arguments it checks the site.yaml here, else
/etc/moonboot/site.yaml.

  -c, --config FILE    check this site.yaml and the policy that it names
      --log FILE       warn of rules that decided nothing in this decision log
      --strict         warnings are errors
      --format FORMAT  text (default), json, or github: annotations of a workflow
  -q, --quiet          print errors and warnings alone: neither what is well nor notes
  -h, --help           print this

Exit codes: 0 all is well, 1 there are errors, 2 bad usage.
]]

local OPTIONS = {
    ["--config"] = "value", ["-c"] = "value", ["--strict"] = "flag", ["--format"] = "value",
    ["--log"] = "value",
    ["--quiet"] = "flag", ["-q"] = "flag", ["--help"] = "flag", ["-h"] = "flag",
}

local SHUT_MAX = 5 -- notes of a file

local function usage(problem)
    host.cli.warn("moonboot check: " .. problem .. "\nTry: moonboot check --help\n")
    return 2
end

local function text_of(config)
    local directory, file = path.split(config)
    local dir = host.cli.opendir(directory)
    return dir and host.read(dir, file) or ""
end

-- Where a key of site.yaml seems to stand.
local function line_of(config)
    local text
    return function(key)
        text = text or text_of(config)
        local line = 0
        for each in (text .. "\n"):gmatch "(.-)\n" do
            line = line + 1
            if each:gsub("#.*", ""):find("%f[%w_]" .. (key == "assets" and "assets" or "root") .. "%s*:") then
                return line
            end
        end
        return 1
    end
end

-- The policy that a site.yaml with mistakes in it names all the same, or nil.
local function policy_of(config)
    local site = host.yaml(text_of(config))
    local policy = type(site) == "table" and site.policy
    if type(policy) ~= "string" or policy == "" or policy:find("^%a+://") then
        return nil
    end
    return policy:sub(1, 1) == "/" and policy or path.join((path.split(config)), policy)
end

-- Tells a person that a long log is being read.
local function progress(name)
    local next_at = host.cli.clock() + 2
    return function(n)
        if host.cli.tty and host.cli.clock() >= next_at then
            host.cli.warn(("%s: %d lines …\n"):format(name, n))
            next_at = host.cli.clock() + 2
        end
    end
end

-- What is sealed in it: errors where the site's key does not open it, or else notes that it stays shut.
-- Of a file with more than a few, the others are counted.
local function check_shut(list, shut, site)
    local open, why
    if #shut > 0 and site then
        open, why = host.cli.seals(site.file)
    end
    local notes = {}
    for _, each in ipairs(shut) do
        local problem = open and open(each.text)
        local n = (notes[each.file] or 0) + 1
        notes[each.file] = n
        if problem then
            list[#list + 1] = { file = each.file, line = each.line, severity = "error", kind = "sealed",
                                text = "sealed: " .. problem }
        elseif not open and n <= SHUT_MAX then
            list[#list + 1] = {
                file = each.file, line = each.line, severity = "note", kind = "sealed",
                text = "it is well formed, and stays shut here: " .. (why or "its key is the server's"),
            }
        end
    end
    for _, each in ipairs(shut) do
        local more = notes[each.file] - SHUT_MAX
        if more > 0 and not open then
            list[#list + 1] = { file = each.file, line = each.line, severity = "note", kind = "sealed",
                                text = ("this and %d more sealed values stay shut"):format(more) }
        end
        notes[each.file] = 0
    end
end

-- What the service would refuse a policy for, a list; nil: nothing. `how`: what engine.load is given.
local function refused(site, how)
    local errors = host.cli.refused(site.memory_mb, how)
    for i, text in ipairs(errors or {}) do
        if text:find("not enough memory", 1, true) then
            errors[i] = ("%s: `limits.memory_mb` of %s is %d"):format(text, site.file, site.memory_mb)
        end
    end
    return errors
end

-- The policy's errors, or else its warnings, at the end of the list. `site`: what serves it, `log`:
-- what it decided, if these are known.
local function check_policy(list, name, log, site)
    name = bundled.policy(name)
    local directory, file = path.split(name)
    local dir, message = host.cli.opendir(directory)
    if not dir then
        list[#list + 1] = findings.parse(("%s: %s"):format(name, message), name)
        return
    end
    local warnings, shut = {}, {}
    local inspect = lint.inspector(warnings, site, log)
    local how = { dir = dir, file = file, display = name, static_tftp = site and site.static_tftp,
                  unsigned = site and site.unsigned, stateless = site and site.stateless }
    local errors = site and refused(site, how)
    if not errors then
        how.inspect = function(l, loaded)
            shut = l.shut
            inspect(l, loaded)
        end
        local policy, found
        if site then -- what it logs has been said
            policy, found = host.cli.hushed(engine.load, how)
        else
            policy, found = engine.load(how)
        end
        errors = not policy and found
    end
    for _, text in ipairs(errors or {}) do
        list[#list + 1] = findings.parse(text, name)
    end
    for _, warning in ipairs(lint.sort(warnings)) do
        warning.severity = "warning"
        list[#list + 1] = warning
    end
    check_shut(list, shut, site)
end

local function count(list, from, severity)
    local n = 0
    for i = from, #list do
        n = n + (list[i].severity == severity and 1 or 0)
    end
    return n
end

local function without_notes(list)
    local kept = {}
    for _, finding in ipairs(list) do
        kept[#kept + 1] = finding.severity ~= "note" and finding or nil
    end
    return kept
end

return function(args)
    local values, policies = options.parse(args, OPTIONS)
    if not values then
        return usage(policies)
    elseif values["--help"] or values["-h"] then
        host.cli.write(HELP)
        return 0
    end
    local format = values["--format"] or "text"
    local print_all = findings.formats[format]
    if not print_all then
        return usage(("there is no format %s%s"):format(problems.show(format),
                                                        problems.hint(format, findings.formats)))
    end

    local log, problem
    if values["--log"] then
        log, problem = never_hit.read(values["--log"], progress(values["--log"]))
        if not log then
            return usage(problem)
        end
    end

    local list = {}
    local quiet = values["--quiet"] or values["-q"]
    -- Checks one file by `check`, which adds to the list.
    local function one(name, check, ...)
        local from = #list + 1
        check(list, name, ...)
        for i = from, #list do
            list[i].severity = values["--strict"] and list[i].severity == "warning" and "error" or list[i].severity
        end
        local warnings = count(list, from, "warning")
        if format == "text" and not quiet and count(list, from, "error") == 0 then
            host.cli.write(("%s: ok%s\n"):format(
                name, warnings > 0 and (", %d warning%s"):format(warnings, warnings > 1 and "s" or "") or ""))
        end
    end

    local config = values["--config"] or values["-c"] or #policies == 0 and host.cli.site_name()
    if config then
        local site, errors = host.cli.site(config)
        one(config, function()
            for _, text in ipairs(errors or site.refused or {}) do
                list[#list + 1] = findings.parse(text, config)
            end
            for _, text in ipairs(site and site.state or {}) do
                list[#list + 1] = findings.warning(text, config, "state-file")
            end
            local lacks = {}
            for i, each in ipairs(site and site.warnings or {}) do
                lacks[i] = findings.warning(each.text, config, each.kind)
            end
            for _, finding in ipairs(lint.sort(lacks)) do
                list[#list + 1] = finding
            end
            if site and site.tftp_missing then
                list[#list + 1] = {
                    file = config, line = line_of(config)("root"), severity = "warning",
                    kind = "missing-file",
                    text = "`root` has no " .. site.tftp_missing .. ", which tftp-hpa is asked for",
                }
            end
        end)
        if site then
            site.file, site.line = config, line_of(config)
        end
        local policy
        if site then
            policy = site.policy
        else
            policy = policy_of(config)
        end
        if site and site.fetched_from and not policy and format == "text" then
            host.cli.write(("%s: nothing has been fetched yet, so nothing is checked\n"):format(site.fetched_from))
        end
        if policy then
            one(policy, check_policy, log, site)
        end
    end
    for _, name in ipairs(policies) do
        one(name, check_policy, log)
    end
    print_all(quiet and without_notes(list) or list)
    return count(list, 1, "error") > 0 and 1 or 0
end
