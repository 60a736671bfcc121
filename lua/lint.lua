-- What is odd about a policy that is not wrong: warnings, each { file =, line =, text =, kind = }.
-- A warning is certain: what cannot be known is not said.
--
-- Looks at a policy when it has just been loaded, while it can still be said where its keys
-- stand (loader.lua's `inspect`).

local misnamed = require "lint.misnamed"
local never_hit = require "lint.never_hit"
local plans = require "lint.plans"
local served = require "lint.served"
local unreachable = require "lint.unreachable"
local unused = require "lint.unused"

local lint = {}

-- Kinds, and what they mean.
lint.kinds = {
    { "unreachable-rule", "earlier rules take every machine that the rule means" },
    { "unused-profile", "no rule, menu, rollout or inventory names the profile" },
    { "unused-template", "the template is read, and is in no `config`" },
    { "unused-args", "a rule has `args`, and boots nothing that takes some" },
    { "repeated-arg", "the same argument twice for one decision (what follows `--` or `---` is counted apart)" },
    { "same-rollout", "both sides of a rollout boot the same" },
    { "same-label", "two entries of a menu have one label" },
    { "unknown-event", "`{{event}}` is given a name that no `on`, `done_on` or `again_on` has" },
    { "missing-file", "a kernel, initrd or boot program that the site's directories do not have" },
    { "missing-directory", "a directory of site.yaml that is not there" },
    { "state-file", "a password or certificate of `state` that the service would refuse" },
    { "key-file", "a key or certificate of site.yaml that the service would refuse" },
    { "missing-interface", "a network interface of site.yaml that this host has not" },
    { "missing-account", "a user or group of site.yaml that this host has not" },
    { "never-hit", "the rule decided nothing in the decision log (`--log`)" },
}

-- A collector of warnings of the policy `l` (loader.lua), but of what comes with the program.
local function collector(l, list)
    local seen = {}
    return function(kind, display, line, text, ...)
        local file = l.by_name[display]
        if file and file.shipped then
            return
        end
        local warning = { file = display, line = line, kind = kind,
                          text = select("#", ...) > 0 and text:format(...) or text }
        local key = ("%s:%d:%s"):format(display, line, warning.text)
        if not seen[key] then
            seen[key] = true
            list[#list + 1] = warning
        end
    end
end

-- An `inspect` for engine.load that adds to the list. `site`: as host.cli.site has it; nil when it
-- is not known what is served. `log`: as never_hit.lua reads it, or nil.
function lint.inspector(list, site, log)
    return function(l, policy)
        local warn = collector(l, list)
        local unreached = {}
        unreachable.find(policy, function(rule, ...)
            unreached[rule] = true
            warn("unreachable-rule", rule.display, rule.line, ...)
        end)
        if log then
            never_hit.find(policy, log, function(rule, ...)
                if not unreached[rule] then
                    warn("never-hit", rule.display, rule.line, ...)
                end
            end)
        end
        unused.find(l, warn)
        plans.find(l, warn)
        misnamed.find(l, policy, warn)
        if site then
            served.find(l, site, warn)
        end
    end
end

-- In the order in which people read.
function lint.sort(list)
    table.sort(list, function(a, b)
        if a.file ~= b.file then
            return a.file < b.file
        elseif a.line ~= b.line then
            return a.line < b.line
        end
        return a.text < b.text
    end)
    return list
end

return lint
