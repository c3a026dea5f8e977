//! `complete`: called by whoever knows that the main container's work is done, such as a script's last line.

use pod::pidfd::Exit;

use crate::clock::Clock;
use crate::ending::Ending;
use crate::farewell;
use crate::ladder::Patience;
use crate::options::Options;
use crate::sidecar::Sidecar;
use crate::verdict::Fate;

/// Sees the proxy out. Whether there is none any more, or it is kubelet's.
pub(crate) fn run(options: &Options) -> bool {
    let clock = Clock::start();
    let began = clock.now();
    let exit = options.exit_code.map_or(Exit::Unknown, Exit::Code);
    let mut ending = Ending::new(options, Sidecar::new(options, None), clock, began, exit);
    let verdict = farewell::see_out(&mut ending, Patience::Once);
    verdict.publish(&ending);
    verdict.fate != Fate::Stays
}
