//! How a job ends of which one process fails while the others wait for it, or are busy elsewhere: what `.ci/mpi` starts
//! by `mpirun -n 3 ranks_end HOW`.

use std::time::Duration;

use pelage::train::mpi::World;

fn main() -> pelage::Result<()> {
    let how = std::env::args().nth(1).unwrap_or_default();
    let world = World::join()?;
    let ranks = world.ranks();
    ranks.agree(&mut [1.0])?;
    match (ranks.rank(), how.as_str()) {
        (1, "panic") => panic!("as asked"),
        (1, _) => world.fail(3, || eprintln!("rank 1 says why")),
        (_, "busy") => std::thread::sleep(Duration::from_secs(600)),
        (_, _) => println!(
            "rank {} of {}: {:?}",
            ranks.rank(),
            world.host(),
            ranks.agree(&mut [1.0])
        ),
    }
    Ok(())
}
