// SPDX-License-Identifier: BSD-2-Clause
// Whether a mouse button or a finger is down, and what waits for it to come up.

let pressed = false;
let released = null; // the timer between the pointer's coming up and that it counts
const waiting = [];

// Calls back at once, or when the click that is being made has been heard.
export function whenReleased(callback) {
    if (pressed)
        waiting.push(callback);
    else
        callback();
}

function release() {
    pressed = false;
    waiting.splice(0).forEach((callback) => callback());
}

addEventListener('pointerdown', ({button}) => {
    clearTimeout(released);
    pressed ||= button === 0; // another one opens a menu of the browser, which may keep its coming up to itself
}, true);
// The click comes in the same task.
addEventListener('pointerup', () => {
    released = setTimeout(release);
}, true);
addEventListener('pointercancel', release, true); // it scrolls, or drags
addEventListener('blur', release); // of the window: what comes may go elsewhere
