-- Which globals a chunk reads and writes, found in its bytecode without running it.
--
-- Runs in a state of its own that has LuaJIT's jit.util and never executes policy code.
-- returns function(text, chunk name) -> list of { name, line, set, field } | nil, message
--   field: the constant key that the global is indexed with at once (`log.info`: "info")

local util = util
local band, rshift = bit.band, bit.rshift

local function opcode(fn, pc)
  return band(util.funcbc(fn, pc), 0xff)
end

-- Opcode numbers differ between LuaJIT's versions: ask this one.
local GGET = opcode(loadstring("return g"), 1)
local GSET = opcode(loadstring("g = nil"), 2)
local TGETS = opcode(loadstring("return g.f"), 2)

-- The operand that names a string constant, in instructions of the form A D.
local function string_constant(fn, ins)
  return util.funck(fn, -rshift(ins, 16) - 1)
end

-- TGETS A B C: register A = register B [constant C].
local function field_of(fn, pc, register)
  local ins = util.funcbc(fn, pc)
  if ins and band(ins, 0xff) == TGETS and rshift(ins, 24) == register then
    return util.funck(fn, -band(rshift(ins, 16), 0xff) - 1)
  end
end

local function walk(fn, found)
  local info = util.funcinfo(fn)
  for pc = 1, info.bytecodes - 1 do
    local ins = util.funcbc(fn, pc)
    local op = band(ins, 0xff)
    if op == GGET or op == GSET then
      found[#found + 1] = {
        name = string_constant(fn, ins),
        line = util.funcinfo(fn, pc).currentline,
        set = op == GSET,
        field = op == GGET and field_of(fn, pc + 1, band(rshift(ins, 8), 0xff)) or nil,
      }
    end
  end
  local child = -1
  local constant = info.children and util.funck(fn, child)
  while constant ~= nil do
    if type(constant) == "proto" then
      walk(constant, found)
    end
    child = child - 1
    constant = util.funck(fn, child)
  end
  return found
end

return function(text, chunk)
  local fn, message = loadstring(text, chunk)
  if not fn then
    return nil, message
  end
  local found = walk(fn, {})
  table.sort(found, function(a, b)
    return a.line < b.line
  end)
  return found
end
