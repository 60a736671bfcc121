-- The lines of a chunk on which something can run, found in its bytecode without running it. Code
-- that nothing leads to (LuaJIT writes some after a return) is left out: coverage would miss it.
--
-- Runs where names.lua does. returns function(text, chunk name) -> list of lines | nil, message

local util = util
local band, rshift = bit.band, bit.rshift

local function opcode(fn, pc)
  return band(util.funcbc(fn, pc), 0xff)
end

-- Opcode numbers differ between LuaJIT's versions: ask this one. `from_end`: counted from the
-- last instruction, which is 0.
local function sample(text, pc, from_end)
  local fn = loadstring(text)
  return opcode(fn, from_end and util.funcinfo(fn).bytecodes - 1 - from_end or pc)
end

-- The comparisons come first in every version, and decide whether the jump behind them is taken.
local LAST_COMPARISON = 15

local JMP = sample("if a then b() end", 3)
local UCLO = sample("do local x f(function() return x end) end", nil, 1)
local FORI = sample("for i = 1, 2 do end", nil, 2)
local FORL = sample("for i = 1, 2 do end", nil, 1)
local ITERL = sample("for a in f do end", nil, 1)
local ISNEXT = sample("for k in pairs(t) do end", nil, 3)

local ends, jumps, may_jump = {}, { [JMP] = true, [UCLO] = true, [ISNEXT] = true },
  { [FORI] = true, [FORL] = true, [ITERL] = true }
for _, text in ipairs { "", "return 1", "return 1, 2", "return 1, f()", "return f()", "return f(1, g())" } do
  ends[sample(text, nil, 0)] = true
end

local function target(ins, pc)
  return pc + 1 + rshift(ins, 16) - 0x8000
end

-- Set of the instructions that can be reached.
local function reachable(fn, n)
  local seen, waiting = {}, { 1 }
  while #waiting > 0 do
    local pc = table.remove(waiting)
    if pc < n and not seen[pc] then
      seen[pc] = true
      local ins = util.funcbc(fn, pc)
      local op = band(ins, 0xff)
      if jumps[op] or may_jump[op] then
        waiting[#waiting + 1] = target(ins, pc)
      end
      if not jumps[op] and not ends[op] then
        waiting[#waiting + 1] = pc + 1
      end
      if op <= LAST_COMPARISON then
        waiting[#waiting + 1] = pc + 2
      end
    end
  end
  return seen
end

local function walk(fn, lines)
  local info = util.funcinfo(fn)
  for pc in pairs(reachable(fn, info.bytecodes)) do
    lines[util.funcinfo(fn, pc).currentline] = true
  end
  local child = -1
  local constant = info.children and util.funck(fn, child)
  while constant ~= nil do
    if type(constant) == "proto" then
      walk(constant, lines)
    end
    child = child - 1
    constant = util.funck(fn, child)
  end
  return lines
end

return function(text, chunk)
  local fn, message = loadstring(text, chunk)
  if not fn then
    return nil, message
  end
  local list = {}
  for line in pairs(walk(fn, {})) do
    list[#list + 1] = line
  end
  table.sort(list)
  return list
end
