-- `parallel { host = function() … end, rack = function() … end }`: several questions at once.
--
-- Each function has a coroutine of its own. They run until each waits or has ended; then all waits
-- go out as one, and all go on with their answers.

local reader = require "reader"
local sandbox = require "sandbox"
local state = require "state"
local waits = require "waits"

local parallel = {}

local MOST = 32

local function read(functions)
    local branches = {}
    if type(functions) ~= "table" then
        error(string.format("parallel: found %s, expected a table of functions", reader.show(functions)), 0)
    end
    for key, f in pairs(functions) do
        if type(f) ~= "function" then
            error(string.format("parallel: found %s, expected a function", reader.show(f)), 0)
        end
        branches[#branches + 1] = { key = key, call = f }
    end
    if #branches > MOST then
        error(string.format("parallel: found %d functions, and %d are the most", #branches, MOST), 0)
    end
    table.sort(branches, function(a, b) -- the order in which they begin
        return tostring(a.key) < tostring(b.key)
    end)
    return branches
end

-- What a function returned, or threw.
local function ended(branch, ok, value, problem)
    branch.wait = nil
    if not ok then
        value, problem = nil, value
    end
    branch.value, branch.problem = value, value == nil and problem or nil
end

local function step(branch, ...)
    local function resumed(ok, ...)
        if not ok or coroutine.status(branch.thread) == "dead" then
            return ended(branch, ok, ...)
        end
        branch.wait = (...)
    end
    return resumed(coroutine.resume(branch.thread, ...))
end

local function run(functions)
    local branches, depth, may = read(functions), sandbox.depth(), state.allowed()
    waits.check "parallel"
    for _, branch in ipairs(branches) do
        branch.thread = waits.branch(function()
            state.allow(may)
            return branch.call()
        end)
        sandbox.enter(depth)
        step(branch)
    end
    while true do
        local waiting, list = {}, {}
        for _, branch in ipairs(branches) do
            if branch.wait then
                waiting[#waiting + 1], list[#list + 1] = branch, branch.wait
            end
        end
        sandbox.enter(depth)
        if #waiting == 0 then
            break
        end
        local answers, problem = waits.ask("parallel", { kind = "all", waits = list })
        for i, branch in ipairs(waiting) do
            local answer = answers and answers[i] or { n = 2, nil, problem }
            sandbox.enter(depth)
            step(branch, unpack(answer, 1, answer.n))
        end
    end
    local values, problems = {}, {}
    for _, branch in ipairs(branches) do
        values[branch.key], problems[branch.key] = branch.value, branch.problem
    end
    return values, problems
end

function parallel.words()
    return { parallel = sandbox.placed(run) }
end

return parallel
