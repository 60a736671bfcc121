return {
  match = function(n) return { label = { rack = tostring(n) } } end,
}
