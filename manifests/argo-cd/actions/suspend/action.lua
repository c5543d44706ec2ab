-- Stops the run and keeps the clock. Self-heal undoes it unless /spec/suspend is in ignoreDifferences.
obj.spec.suspend = true
return obj
