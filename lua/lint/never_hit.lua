-- Rules that decided nothing in a decision log (core/decision_log.md).

local problems = require "problems"

local never_hit = {}

-- Reads a log -> { path =, decisions = how many, first =, last = (times), rules = set of the names of
-- rules that decided } | nil, problem. `progress(n)` is called now and then.
function never_hit.read(path, progress)
    local lines, message = host.cli.each_line(path)
    if not lines then
        return nil, ("%s: %s"):format(path, message)
    end
    local log = { path = path, decisions = 0, rules = {} }
    local n = 0
    for line in lines do
        n = n + 1
        if n % 10000 == 0 then
            progress(n)
        end
        local good, object = pcall(host.json.decode, line) -- a line may be torn
        if good and type(object) == "table" and object.time and object.policy and object.stage ~= "serve" then
            log.decisions = log.decisions + 1
            log.first, log.last = log.first or object.time, object.time
            if type(object.rule) == "string" and not tostring(object.verdict):find "^undetermined" then
                log.rules[object.rule] = true
            end
        end
    end
    if log.decisions == 0 then
        return nil, ("%s: found %d line%s, and none is a decision"):format(path, n, n == 1 and "" or "s")
    end
    return log
end

-- Calls warn(rule, text, …) for each rule of the policy that the log has not.
function never_hit.find(policy, log, warn)
    for _, rule in ipairs(policy.rules) do
        if not log.rules[rule.name] then
            warn(rule, "rule %s decided nothing in %s (%d decision%s, from %s to %s)", problems.show(rule.name),
                 log.path, log.decisions, log.decisions == 1 and "" or "s", log.first, log.last)
        end
    end
end

return never_hit
