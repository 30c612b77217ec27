// SPDX-License-Identifier: BSD-2-Clause
// Whether a mouse button, a finger or the space bar is down, and what waits for it to come up.

let pressed = false;
let released = null; // the timer between its coming up and that it counts
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

function press() {
    clearTimeout(released);
    pressed = true;
}

// The click comes in the same task.
function comeUp() {
    released = setTimeout(release);
}

// Another mouse button opens a menu of the browser, which may keep its coming up to itself.
addEventListener('pointerdown', ({button}) => button === 0 && press(), true);
addEventListener('pointerup', comeUp, true);
addEventListener('pointercancel', release, true); // it scrolls, or drags
addEventListener('keydown', ({key, target}) => key === ' ' && target.closest?.('button') && press(), true);
addEventListener('keyup', ({key}) => key === ' ' && comeUp(), true);
addEventListener('blur', release); // of the window: what comes may go elsewhere
