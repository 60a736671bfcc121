-- Boots by shim and GRUB, which Secure Boot accepts. See README.md.
--
--   local secure_boot = require "moonboot.secure_boot"
--   local fedora = secure_boot "fedora"
--   profile "fedora" { kernel = "fedora/vmlinuz", dhcp = fedora.dhcp, files = fedora.files }

-- By the name of the processor in UEFI's file names. What shim starts is always called grub…; what
-- runs from a network is another build of it.
local processors = { "x64", "aa64", "ia32" }
local programs = { "shim", "grub", "mm" }

-- The parts of a profile. `directory` under TFTP's root has shim, GRUB and MokManager of one
-- distribution, as shimx64.efi, grubx64.efi, mmx64.efi; without it, they are those of Debian's packages.
return function(directory)
  if directory ~= nil and type(directory) ~= "string" then
    error("secure_boot: the directory of a distribution's shim and GRUB is a text", 2)
  end
  local files
  if directory then
    files = {}
    for _, processor in ipairs(processors) do
      for _, program in ipairs(programs) do
        local name = program .. processor .. ".efi"
        files[name] = directory .. "/" .. name
      end
    end
  end
  return { dhcp = { loader = "shim" }, files = files }
end
