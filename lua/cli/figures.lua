-- The figures of a running service, in words that people read.

local figures = {}

local UNITS = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } }

-- Seconds -> "2 h 5 min".
function figures.duration(seconds)
    seconds = math.max(0, math.floor(seconds))
    for i, unit in ipairs(UNITS) do
        if seconds >= unit[1] or i == #UNITS then
            local text = ("%d %s"):format(math.floor(seconds / unit[1]), unit[2])
            local rest = UNITS[i + 1] and math.floor(seconds % unit[1] / UNITS[i + 1][1]) or 0
            return rest > 0 and ("%s %d %s"):format(text, rest, UNITS[i + 1][2]) or text
        end
    end
end

local PREFIXES = { "", "k", "M", "G", "T" }

-- 1234567, "B" -> "1.2 MB".
function figures.amount(number, unit)
    local i = 1
    while number >= 1000 and i < #PREFIXES do
        number = number / 1000
        i = i + 1
    end
    local digits = i > 1 and number < 10 and "%.1f" or "%.0f"
    return ((digits .. " %s%s"):format(number, PREFIXES[i], unit or ""):gsub(" $", ""))
end

local ASKERS = {
    fetch = "as it was fetched",
    start = "at the start",
    ["lost nursery"] = "as its processes were lost",
    signal = "by SIGHUP from process %d (user %d)",
    watch = "as %s has changed",
    control = "by process %d (user %d) over the control socket",
}

-- Who asked for a load.
function figures.asker(by)
    return (ASKERS[by.kind] or by.kind):format(by.file or by.pid, by.uid)
end

-- Counters by the start of their name, summed: what belongs together.
function figures.sum(counters, prefix)
    local total = 0
    for name, value in pairs(counters) do
        if name:sub(1, #prefix) == prefix then
            total = total + value
        end
    end
    return total
end

local COLUMNS = { "slot", "pid", "state", "generation", "up", "restarts", "memory", "connections", "transfers",
    "waiting" }

-- The workers as lines of a table.
function figures.workers(status)
    local rows, widths = { COLUMNS }, {}
    for _, worker in ipairs(status.workers) do
        rows[#rows + 1] = {
            worker.slot, worker.pid, worker.state, worker.generation,
            figures.duration(status.now - worker.started), worker.restarts,
            figures.amount(worker.memory_kb * 1024, "B"), worker.connections, worker.transfers, worker.waiting or 0,
        }
    end
    for _, row in ipairs(rows) do
        for i, cell in ipairs(row) do
            widths[i] = math.max(widths[i] or 0, #tostring(cell))
        end
    end
    for n, row in ipairs(rows) do
        for i, cell in ipairs(row) do
            local left = type(cell) == "string" and i < 7
            row[i] = (left and "%-" .. widths[i] .. "s" or "%" .. widths[i] .. "s"):format(cell)
        end
        rows[n] = table.concat(row, "  "):gsub(" +$", "")
    end
    return rows
end

return figures
