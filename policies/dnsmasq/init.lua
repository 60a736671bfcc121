-- Decides as dnsmasq does, by the PXE part of its own dnsmasq.conf. See README.md.
--
--   local dnsmasq = require "moonboot.dnsmasq"
--   rule "as dnsmasq" { boot = dnsmasq "dnsmasq.conf" }

local conf = require "moonboot.dnsmasq.conf"
local decide = require "moonboot.dnsmasq.decide"
local directives = require "moonboot.dnsmasq.directives"

-- What a machine has told. A field that it has not told must not be asked for: the decision
-- would wait for iPXE.
local function told(machine)
  local facts = {}
  for name, value in pairs(machine) do
    facts[name] = value
  end
  facts.ipxe = facts.features ~= nil or nil -- option 175
  return facts
end

local function proxy(site)
  for _, range in ipairs(site.ranges) do
    if range.proxy then
      return true
    end
  end
  return false
end

-- For the `boot` of a rule. It has an opinion on what DHCP is answered, and on nothing else: what
-- a machine does that was sent to moonboot's own boot.ipxe is for the rules that follow.
return function(file)
  local site = directives.read(conf.read(file))
  site.proxy = proxy(site)
  return function(machine)
    if machine.stage ~= "dhcp" then
      return nil
    end
    local answer = decide.answer(site, told(machine))
    return answer and { dhcp = answer } or ignore
  end
end
