module lookout/testdata

go 1.26
