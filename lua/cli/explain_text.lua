-- What `explain` found, as people read it.

local explain = require "explain"
local problems = require "problems"
local show = require "cli.show"

local explain_text = {}

local MANY = 8 -- rules in a row that are told in one line

-- What a predicate said, in a word; nil: it is not known.
explain_text.results = { [true] = "yes", [false] = "no" }

local function write(format, ...)
    host.cli.write(format:format(...))
end

local function time(us)
    return us and ("%.1f µs"):format(us) or ""
end

-- Why the rule is where it is, in a few words.
local function outcome_text(step)
    local text = step.outcome
    if step.outcome == "no match" and not step.indexed then
        text = "no match, and the index leaves it out"
    elseif step.why and step.outcome ~= "no match" then
        text = text .. ": " .. step.why
    end
    return text
end

local function write_step(step)
    write("%s %s:%d, %s: %s%s\n", (step.outcome == "no match" or step.outcome == "not reached") and "  "
          or step.outcome == "no opinion" and "~ " or "->", step.file, step.line, problems.show(step.name),
          outcome_text(step), step.us and ("  (%s)"):format(time(step.us)) or "")
    for _, line in ipairs(step.match) do
        local result = explain_text.results[line.result] or "?"
        if line.field == "match" then
            write("     %-3s  its match function said no\n", result)
        else
            write("     %-3s  %s: wanted %s, found %s\n", result, line.field, line.wanted, problems.show(line.found))
        end
    end
    if step.answer then
        write("     its function returned %s\n", step.answer)
    end
end

-- How many rules from number `i` on can be told in one line, and how it ends.
local function run_of(steps, i)
    local n, same = 0, nil
    while steps[i + n] do
        local step = steps[i + n]
        local kind = step.outcome == "not reached" and "not reached"
                     or step.outcome == "no match" and not step.indexed and "left out by the index"
        if not kind or same and kind ~= same then
            break
        end
        same, n = kind, n + 1
    end
    return n, same
end

local function write_steps(steps, all)
    local i = 1
    while steps[i] do
        local n, kind = run_of(steps, i)
        if n > MANY and not all then
            write("   %s:%d to %s:%d: %d rules, %s (--all shows them)\n", steps[i].file, steps[i].line,
                  steps[i + n - 1].file, steps[i + n - 1].line, n, kind)
            i = i + n
        else
            write_step(steps[i])
            i = i + 1
        end
    end
end

-- Microseconds, of all rules.
function explain_text.total(steps)
    local total = 0
    for _, step in ipairs(steps) do
        total = total + (step.us or 0)
    end
    return total
end

-- The machine, the rules, the decision (show.lua's `about`), and the time. `all`: no run of rules is
-- told in one line.
function explain_text.write(who, about, steps, all)
    local known = {}
    for i, field in ipairs(explain.fields(who)) do
        known[i] = field[1] .. "=" .. field[2]
    end
    write("machine  %s\n", #known > 0 and table.concat(known, "  ") or "nothing is known of it")
    write("stage    %s\n\n", who.stage)
    write_steps(steps, all)
    write("\n")
    show.write(about)
    write("%-8s %s\n", "time", time(explain_text.total(steps)))
end

return explain_text
