// SPDX-License-Identifier: BSD-2-Clause
// Serves a bucket from a directory: node server.js PORT DIRECTORY BUCKET. The key is S3RVER, and so is its secret.
const S3rver = require('s3rver');

const [port, directory, bucket] = process.argv.slice(2);
new S3rver({address: '127.0.0.1', port: Number(port), silent: true, directory, vhostBuckets: false, configureBuckets: [{name: bucket}]})
    .run().then(() => console.log('ready'));
