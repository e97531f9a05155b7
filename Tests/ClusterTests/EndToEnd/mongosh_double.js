#!/usr/bin/env node
// Stands for `mongosh` where the scripts in compose/mongo are tested: real servers, the same JavaScript, few of its calls.
// What a script asks of a server is passed to the test that runs it, one command after the other.
'use strict';
const { spawnSync } = require('child_process');

const options = { authenticationDatabase: 'admin' };
const rest = process.argv.slice(2);
while (rest.length) {
  const name = rest.shift();
  if (!name.startsWith('--')) options.database = name;
  else if (name === '--quiet') options.quiet = true;
  else options[name.slice(2)] = rest.shift();
}

function command(document) {
  const input = JSON.stringify({ ...options, document });
  const done = spawnSync('curl', ['-sS', '--data-binary', '@-', process.env.DOUBLE_URL], { input, encoding: 'utf8' });
  if (done.status !== 0) throw new Error(done.stderr);
  const answer = JSON.parse(done.stdout);
  if (answer.failure) throw new Error(answer.failure);
  return answer;
}

const db = {
  adminCommand: command,
  createRole: ({ role, ...more }) => command({ createRole: role, ...more }),
  createUser: ({ user, ...more }) => command({ createUser: user, ...more }),
};
const sleep = (milliseconds) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);

try {
  new Function('db', 'sleep', 'process', options.eval)(db, sleep, process);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
