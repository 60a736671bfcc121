-- Tests that go on: `steps = { expect {…}, event "installed", wait(30), expect {…} }`.

local problems = require "problems"
local show = require "testing.show"

local steps = {}

local EVENT = { params = "table", body = "string", client = "string" }

-- The words that make steps.
function steps.words()
    return {
        expect = function(wanted)
            return show.word("expect", wanted)
        end,
        event = function(name, about)
            local made = { name = name }
            if type(name) ~= "string" then
                error(("event is followed by a name, not by %s"):format(problems.show(name)), 2)
            elseif about ~= nil and type(about) ~= "table" then
                error(("event %s: found %s, expected a table"):format(problems.show(name), problems.show(about)), 2)
            end
            for key, value in pairs(about or {}) do
                if type(value) ~= EVENT[key] then
                    error(("event %s: found %s behind %s, expected params, body or client"):format(
                        problems.show(name), problems.show(value), problems.show(key)), 2)
                end
                made[key] = value
            end
            return show.word("event", made)
        end,
        wait = function(seconds)
            if type(seconds) ~= "number" or not (seconds >= 0 and seconds < 2 ^ 40) then
                error(("wait is followed by seconds, not by %s"):format(problems.show(seconds)), 2)
            end
            return show.word("wait", seconds)
        end,
    }
end

local KINDS = { expect = true, event = true, wait = true }

-- What is wrong with a list of steps; nil when nothing is. `expectation`: what is wrong with one.
function steps.problem(list, expectation)
    local expects = 0
    for key, step in pairs(list) do
        if type(key) ~= "number" then
            return ("`steps` has the key %s, and must be a list"):format(problems.show(key))
        elseif not KINDS[show.word_of(step) or ""] then
            return ("step %d is %s, and must be expect {…}, event \"…\" or wait(seconds)"):format(
                key, problems.show(step))
        elseif show.word_of(step) == "expect" then
            expects = expects + 1
            local problem = type(step.value) ~= "function" and expectation(step.value)
            if problem then
                return ("step %d: %s"):format(key, problem)
            end
        end
    end
    if expects == 0 then
        return "`steps` expects nothing: nothing would be tested"
    end
end

-- Goes through the steps. `check(wanted)` -> outcome (run.lua), `fire(event)` -> true | nil, problem,
-- `pass(seconds)`. Returns the outcome of the first expectation that does not hold, or of the last.
function steps.run(list, check, fire, pass)
    local outcome
    for i, step in ipairs(list) do
        local word, value = show.word_of(step), step.value
        if word == "wait" then
            pass(value)
        elseif word == "event" then
            local ok, problem = fire(value)
            if not ok then
                return { status = "fail", differences = {
                    { key = ("step %d: event"):format(i), found = problem,
                      expected = ("%s to be taken in"):format(show.value(value.name)) },
                } }
            end
        else
            outcome = check(value)
            if outcome.status ~= "pass" then
                for _, difference in ipairs(outcome.differences or {}) do
                    difference.key = ("step %d: %s"):format(i, difference.key)
                end
                outcome.message = outcome.message and ("step %d: %s"):format(i, outcome.message)
                return outcome
            end
        end
    end
    return outcome
end

return steps
