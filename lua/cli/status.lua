-- `moonboot status`: what a running service is and does.

local control = require "cli.control"
local figures = require "cli.figures"

local HELP = [[
Usage: moonboot status [-c SITE.YAML] [--json]
Shows what the running service is: its generation (who loaded it, when, the hash of the policy's
files), the last refusal with its errors, its workers, its sockets and counters.

]] .. control.HELP .. [[
      --json         as JSON
  -h, --help         print this

Exit codes: 0 shown, 1 no service answers, 2 bad usage.
]]

local PATIENCE = 10 -- seconds

local function line(label, format, ...)
    host.cli.write(("%-11s "):format(label) .. format:format(...) .. "\n")
end

local function write_generation(status, generation)
    if not generation then
        line("generation", "none yet")
        return
    end
    line("generation", "%d, loaded %s (%s ago) %s", generation.number, host.cli.date(generation.at),
         figures.duration(status.now - generation.at), figures.asker(generation.by))
    line("policy", "%s (%s)", generation.policy, generation.hash)
    local bundle = control.some(generation.bundle)
    if bundle then
        local key = control.some(bundle.key)
        line("bundle", "version %d, %s", bundle.version, key and "signed by key " .. key or "not signed")
    end
    for i, warning in ipairs(generation.warnings) do
        line(i == 1 and "warnings" or "", "%s", warning)
    end
end

local function write_fetch(status, fetch)
    if not fetch then
        return
    end
    local function ago(at)
        return at > 0 and figures.duration(status.now - at) .. " ago" or "never"
    end
    line("fetched", "%s: %s, with success %s", fetch.url, ago(fetch.last), ago(fetch.last_good))
    if fetch.failures > 0 then
        line("", "%d failures in a row: %s", fetch.failures, fetch.problem)
    end
end

local function write_refusal(status, refused)
    if not refused then
        return
    end
    line("refused", "a load, %s (%s ago) %s:", host.cli.date(refused.at),
         figures.duration(status.now - refused.at), figures.asker(refused.by))
    for _, problem in ipairs(refused.errors) do
        line("", "%s", problem)
    end
end

local function write_store(store, generation)
    if store then
        local problem = control.some(store.problem)
        line("state", "%s%s", store.at, problem and ": " .. problem or "")
    elseif generation then
        line("state", "none: nothing is remembered (`state` in site.yaml)")
    end
end

local function write_counters(counters)
    local function count(name)
        return counters["moonboot_" .. name] or 0
    end
    line("decisions", "%d (%d failed, %d out of time, %d turned away)", count "decisions_total",
         count "decision_errors_total", count "decision_deadlines_total",
         figures.sum(counters, "moonboot_decisions_refused_total"))
    line("dhcp", "%d answered of %d", count 'dhcp_packets_total{result="answered"}',
         count 'dhcp_packets_total{result="received"}')
    line("tftp", "%d transfers, %s sent", figures.sum(counters, "moonboot_tftp_transfers_total"),
         figures.amount(count "tftp_sent_bytes_total", "B"))
    line("http", "%d responses, %s sent", figures.sum(counters, "moonboot_http_responses_total"),
         figures.amount(count "http_sent_bytes_total", "B"))
end

local function write_text(status)
    line("moonboot", "%s, %s for %s, process %d, %s", status.version, status.state,
         figures.duration(status.now - status.started), status.pid, status.site)
    write_generation(status, control.some(status.generation))
    write_fetch(status, control.some(status.fetch))
    write_refusal(status, control.some(status.refused))
    local sockets = {}
    for i, socket in ipairs(status.sockets) do
        sockets[i] = ("%s %s:%d"):format(socket.service, socket.address, socket.port)
    end
    line("sockets", "%s", table.concat(sockets, ", "))
    local hpa = control.some(status.tftp_hpa)
    if hpa then
        line("tftp-hpa", "%s, process %d, restarted %d times", hpa.state, hpa.pid, hpa.restarts)
    end
    write_store(control.some(status.state_store), control.some(status.generation))
    for i, row in ipairs(figures.workers(status)) do
        line(i == 1 and "workers" or "", "%s", row)
    end
    write_counters(status.counters)
end

return function(args)
    local values, code = control.options("status", HELP, args, { ["--json"] = "flag" })
    if not values then
        return code
    end
    local status, text = control.ask(values, "status", PATIENCE)
    if not status then
        host.cli.warn("moonboot status: " .. text .. "\n")
        return 1
    elseif values["--json"] then
        host.cli.write(text)
    else
        write_text(status)
    end
    return 0
end
