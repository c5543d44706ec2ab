-- Goes on where the clock stands.
obj.spec.suspend = false
return obj
