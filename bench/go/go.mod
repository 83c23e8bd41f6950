module ferry.example/bench

go 1.19
