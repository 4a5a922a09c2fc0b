//! Stakes from plan to withdrawal, on the simulated Bitcoin node and the scripted chain, with real covenant signatures.
//! Every witness passes the simulator, which runs Bitcoin Core's interpreter.

mod leaving;

mod staking;
mod world;
