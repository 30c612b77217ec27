// SPDX-License-Identifier: BSD-2-Clause
// What a client does after its WebSocket was closed with a code: the table of the protocol.

export const RETRY = 'retry'; // come back, with backoff
export const REFRESH = 'refresh'; // come back with another token
export const STAY_AWAY = 'stay_away'; // not until the user asks

const ACTIONS = new Map([[4001, STAY_AWAY], [4002, REFRESH]]);
// The server could not take a frame of ours: binary, bad UTF-8, too big, against the protocol.
const OUR_FAULT = new Set([1002, 1003, 1007, 1009]);

export function actionAfter(code) {
    return ACTIONS.get(code) ?? RETRY;
}

export function isOurFault(code) {
    return OUR_FAULT.has(code);
}
