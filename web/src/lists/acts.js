// A form that does one act and says, where it stood, what came of it.
import { useState } from "preact/hooks";
import { act } from "../api.js";

/* → {busy, error, errors, turn, answer, run(name, body, check)}: check() gives [{id, message}] of what is missing. */
export function useAct() {
    const [state, setState] = useState({ busy: false, error: null, errors: [], turn: 0, answer: null });
    const run = async (name, body, errors = []) => {
        if (state.busy) return null;
        if (errors.length > 0) {
            setState((was) => ({ ...was, error: null, errors, turn: was.turn + 1 }));
            return null;
        }
        setState((was) => ({ ...was, busy: true, error: null, errors: [], answer: null }));
        try {
            const answer = await act(name, body);
            setState((was) => ({ ...was, busy: false, answer }));
            return answer;
        } catch (error) {
            setState((was) => ({ ...was, busy: false, error, turn: was.turn + 1 }));
            return null;
        }
    };
    return { ...state, run };
}
