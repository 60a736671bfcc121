-- Test files spread over processes; what they report comes in the order of the files, whoever
-- is done first.

local testing = require "testing"

local host = host

local jobs = {}

-- A process: runs the files whose numbers it is given.
local function worker(files, options)
    return function(next, send)
        for number in next do
            testing.run(files[number], options, function(result)
                send(host.json.encode { number = number, result = result })
            end)
            send(host.json.encode { number = number, finished = true })
        end
        if options.finish then
            send(host.json.encode { about = options.finish() })
        end
    end
end

-- Runs the files on `n` processes; report(result) as in testing.run. What options.finish()
-- returns in each process, `take` is given. Returns a message when one of them died.
function jobs.run(files, options, n, report, take)
    local crew = host.cli.jobs(math.min(n, #files), #files, worker(files, options))
    local waiting, finished, current, stopped = {}, {}, 1, false
    local function tell(result)
        stopped = stopped or report(result)
    end
    local function advance()
        while not stopped and current <= #files do
            for _, result in ipairs(waiting[current] or {}) do
                if not stopped then
                    tell(result)
                end
            end
            waiting[current] = nil
            if not finished[current] then
                return
            end
            current = current + 1
        end
    end
    while not stopped do
        local text, problem = crew:read()
        if not text then
            return problem
        end
        local message = host.json.decode(text)
        if message.about then
            take(message.about)
        elseif message.finished then
            finished[message.number] = true
        else
            waiting[message.number] = waiting[message.number] or {}
            table.insert(waiting[message.number], message.result)
        end
        advance()
    end
    crew:stop()
end

return jobs
