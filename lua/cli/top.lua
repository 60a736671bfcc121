-- `moonboot top`: what a running service does just now.

local control = require "cli.control"
local figures = require "cli.figures"

local HELP = [[
Usage: moonboot top [-c SITE.YAML] [--once]
Shows what the running service does, refreshed each second, until it is interrupted.

]] .. control.HELP .. [[
      --once         one view, of one second, without terminal codes
  -h, --help         print this

Exit codes: 0 shown, 1 no service answers, 2 bad usage.
]]

local PATIENCE = 10 -- seconds
local WIDTH, HEIGHT = 80, 24
local HOME, REST_OF_LINE, REST_OF_SCREEN = "\27[H", "\27[K", "\27[J"

local RATES = {
    { "decisions", "decisions_total" },
    { "failed", "decision_errors_total" },
    { "dhcp in", 'dhcp_packets_total{result="received"}' },
    { "dhcp out", 'dhcp_packets_total{result="answered"}' },
    { "tftp asked", "tftp_requests_total" },
    { "http out", "http_responses_total" },
    { "tftp sent", "tftp_sent_bytes_total", "B" },
    { "http sent", "http_sent_bytes_total", "B" },
}

local function rate(before, now, name, seconds)
    name = "moonboot_" .. name
    return (figures.sum(now.counters, name) - figures.sum(before.counters, name)) / seconds
end

-- Two rates a line.
local function rates(lines, before, now, seconds)
    local row = ""
    for i, about in ipairs(RATES) do
        local value = rate(before, now, about[2], seconds)
        row = row .. ("%-11s %10s/s"):format(about[1], figures.amount(value, about[3]))
        if i % 2 == 0 then
            lines[#lines + 1] = row
            row = ""
        else
            row = row .. "    "
        end
    end
    local took = rate(before, now, "decision_microseconds_total", 1)
    local decisions = rate(before, now, "decisions_total", 1)
    lines[#lines + 1] = ("a decision  %10s us"):format(decisions > 0 and figures.amount(took / decisions) or "-")
end

local function view(before, now, seconds)
    local generation, refused = control.some(now.generation), control.some(now.refused)
    local lines = {
        ("moonboot %s, %s for %s, process %d"):format(now.version, now.state,
                                                      figures.duration(now.now - now.started), now.pid),
        generation and ("generation %d, loaded %s ago; %d reloads refused"):format(
            generation.number, figures.duration(now.now - generation.at), now.reloads_refused)
            or "no generation yet",
    }
    if refused and (not generation or refused.at >= generation.at) then
        lines[#lines + 1] = "the last reload was refused: " .. (refused.errors[1] or "")
    end
    lines[#lines + 1] = ""
    rates(lines, before, now, seconds)
    lines[#lines + 1] = ""
    for _, row in ipairs(figures.workers(now)) do
        lines[#lines + 1] = row
    end
    if #lines > HEIGHT - 1 then
        local hidden = #lines - (HEIGHT - 2)
        lines[HEIGHT - 1] = ("and %d more workers"):format(hidden)
    end
    for i = math.min(#lines, HEIGHT - 1), 1, -1 do
        lines[i] = lines[i]:sub(1, WIDTH)
    end
    return { unpack(lines, 1, HEIGHT - 1) }
end

local function fail(message)
    host.cli.warn("moonboot top: " .. message .. "\n")
    return 1
end

return function(args)
    local values, code = control.options("top", HELP, args, { ["--once"] = "flag" })
    if not values then
        return code
    end
    local before, message = control.ask(values, "status", PATIENCE)
    local at = host.clock()
    while before do
        host.cli.sleep(1)
        local now
        now, message = control.ask(values, "status", PATIENCE)
        if not now then
            break
        end
        local lines = view(before, now, (host.clock() - at) / 1e6)
        at = host.clock()
        if values["--once"] then
            host.cli.write(table.concat(lines, "\n") .. "\n")
            return 0
        end
        host.cli.write(HOME .. table.concat(lines, REST_OF_LINE .. "\n") .. REST_OF_LINE .. REST_OF_SCREEN)
        before = now
    end
    return fail(message)
end
