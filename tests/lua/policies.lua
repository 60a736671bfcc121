-- Helpers of the tests: policies and machines from text.

local engine = require "engine"
local machine = require "machine"

local policies = {}

function policies.load(text)
    local policy, problems = engine.load { text = text, display = "policy.lua" }
    assert(policy, problems and table.concat(problems, "\n"))
    return policy
end

-- What is wrong with a policy; each of `expected` must be one of its problems, and it
-- must have no others.
function policies.refuses(text, expected)
    local policy, problems = engine.load { text = text, display = "policy.lua" }
    assert(not policy, "the policy loaded")
    local found, wanted = table.concat(problems, "\n"), table.concat(expected, "\n")
    if found ~= wanted then
        error("expected:\n" .. wanted .. "\nfound:\n" .. found, 2)
    end
end

-- Runs `f` with these files (path -> text) in place of the policy's directory, "d".
function policies.with_files(files, f)
    local read, list = host.read, host.list
    function host.read(dir, path)
        assert(dir == "d")
        if files[path] then
            return files[path]
        end
        return nil, "No such file or directory", true
    end
    function host.list(_, path)
        local names, found = {}, {}
        for file in pairs(files) do
            local name = path == "." and file or file:sub(1, #path + 1) == path .. "/" and file:sub(#path + 2)
            name = name and (name:match "^[^/]*/" or name)
            if name and not found[name] then
                found[name] = true
                table.insert(names, name)
            end
        end
        if #names == 0 then
            return nil, "No such file or directory", true
        end
        return names
    end
    local ok, message = xpcall(f, debug.traceback)
    host.read, host.list = read, list
    assert(ok, message)
end

-- Loads policy.lua of these files -> policy | nil, problems.
function policies.load_files(files)
    local policy, problems
    policies.with_files(files, function()
        policy, problems = engine.load { dir = "d", file = "policy.lua", display = "site/policy.lua" }
    end)
    return policy, problems
end

function policies.machine(fields, stage)
    local m, problem = machine.new(fields, stage)
    assert(m, problem)
    return m
end

function policies.decide(policy, fields, stage, trace)
    return engine.decide(policy, policies.machine(fields, stage), trace)
end

-- Decides with one rule that has this `match`, and says whether it matched.
function policies.matches(match, fields, stage)
    local policy = policies.load(string.format('rule "r" { match = %s, boot = disk }', match))
    local decision = policies.decide(policy, fields, stage)
    return decision.verdict == "disk", decision
end

return policies
