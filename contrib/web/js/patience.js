// SPDX-License-Identifier: BSD-2-Clause
// Many requests in a row may be too many at once for the server, which says when to try again.

const TRIES = 10;
const WAIT_MAX_MS = 5000;

// request() gives a promise. Resolves or rejects as the last one does.
export async function patiently(request) {
    for (let tries = 1; ; tries++) {
        try {
            return await request();
        } catch (problem) {
            if (problem.code !== 'rate_limited' || tries >= TRIES)
                throw problem;
            await new Promise((resolve) => setTimeout(resolve, Math.min(problem.retryAfterMs ?? 1000, WAIT_MAX_MS)));
        }
    }
}
