"""Hidden states that follow a differential equation between inputs, solved with fixed steps and a written adjoint."""
