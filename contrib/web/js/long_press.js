// SPDX-License-Identifier: BSD-2-Clause
// A finger that rests on a message: the menu for hands that have no mouse. It opens when the finger is lifted, for
// lifting it beside an open menu closes that.

const LONG_PRESS_MS = 450;
const MOVED_PX = 10;
const PRESSED_TOO = '.merged, .media-image, .quote, .tile'; // buttons that fill a bubble

// Of the bubbles in `list`, which come and go: calls act(key of the row). The page is listened to while a finger is there alone.
export function onLongPress(list, act) {
    let pressed = null; // {key, x, y, timer, ready, listening}
    const bubbleOf = (key) => list.querySelector(`[data-key="${CSS.escape(key)}"]`)?.closest('.message').querySelector('.bubble');
    const stop = () => {
        if (pressed === null)
            return;
        clearTimeout(pressed.timer);
        pressed.listening.abort();
        bubbleOf(pressed.key)?.classList.remove('pressed');
        pressed = null;
    };
    // The tap of the same finger may be told of long after it was lifted, over the menu that is open by then: its click would
    // open a picture or choose from the menu. No other click comes without a pointerdown; the keyboard's has no detail.
    const dropClick = (event) => {
        if (event.detail === 0)
            return;
        hearClicks();
        event.preventDefault();
        event.stopPropagation();
    };
    const hearClicks = () => {
        removeEventListener('click', dropClick, true);
        removeEventListener('pointerdown', hearClicks, true);
    };
    const lifted = () => {
        if (pressed.ready) {
            const {key} = pressed;
            addEventListener('click', dropClick, true);
            addEventListener('pointerdown', hearClicks, true);
            setTimeout(() => act(key)); // after what was drawn anew when it was lifted
        }
        stop();
    };
    const moved = ({clientX, clientY}) => {
        if (Math.hypot(clientX - pressed.x, clientY - pressed.y) > MOVED_PX)
            stop();
    };
    list.addEventListener('pointerdown', ({pointerType, target, clientX, clientY}) => {
        stop();
        const bubble = target.closest('.bubble');
        if (pointerType === 'mouse' || bubble === null || target.closest(`a, button:not(${PRESSED_TOO}), audio, video`))
            return;
        const {key} = target.closest('[data-key]').dataset;
        const listening = new AbortController();
        pressed = {key, x: clientX, y: clientY, ready: false, listening, timer: setTimeout(() => {
            pressed.ready = true;
            bubbleOf(key)?.classList.add('pressed');
        }, LONG_PRESS_MS)};
        for (const [name, handle] of [['pointerup', lifted], ['pointercancel', stop], ['pointermove', moved]])
            document.addEventListener(name, handle, {signal: listening.signal});
    });
    list.addEventListener('contextmenu', (event) => {
        if (matchMedia('(pointer: coarse)').matches && !event.target.closest('a, img'))
            event.preventDefault(); // it would begin to select text
    });
}
