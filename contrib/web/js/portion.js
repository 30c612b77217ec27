// SPDX-License-Identifier: BSD-2-Clause
// Of a list that may be very long its beginning, and more of it as one scrolls near its end. Making all of it anew at every
// change would stop the page.

export const PORTION = 100; // rows; more than fit on a screen
const AHEAD_PX = 400;

export class Portion {
    #onMore;
    #count = PORTION;
    #isCut = false;

    // onMore(): more is to be shown
    constructor(onMore) {
        this.#onMore = onMore;
    }

    // Another list: from its beginning again.
    reset() {
        this.#count = PORTION;
    }

    // The lists are looked at anew.
    begin() {
        this.#isCut = false;
    }

    // What is shown of it. Several lists one under the other grow together, after begin().
    of(items) {
        this.#isCut ||= items.length > this.#count;
        return items.slice(0, this.#count);
    }

    // scroller: what the list scrolls in.
    follow(scroller) {
        scroller.addEventListener('scroll', () => {
            if (!this.#isCut || scroller.scrollTop + scroller.clientHeight < scroller.scrollHeight - AHEAD_PX)
                return;
            this.#count += PORTION;
            this.#onMore();
        }, {passive: true});
    }
}
