// Gives plugin configurations to the filter as it is shipped, and prints what it says of each: a JSON list in, a list of lists of mistakes
// out.
import { readFileSync } from 'node:fs';

import { Envoy } from '../host/envoy/envoy.mjs';

const PREFIX = 'plugin configuration refused: ';

function mistakesIn(configuration) {
  const mistakes = [];
  class Watched extends Envoy {
    log(level, message) {
      if (message.startsWith(PREFIX)) mistakes.push(message.slice(PREFIX.length));
    }
  }
  let taken = true;
  try {
    new Watched({ configuration });
  } catch (error) {
    if (!/the configuration is refused/.test(error.message)) throw error;
    taken = false;
  }
  if (taken !== (mistakes.length === 0)) throw new Error(`taken: ${taken}, and yet: ${mistakes}`);
  return mistakes;
}

console.log(JSON.stringify(JSON.parse(readFileSync(0)).map(mistakesIn)));
