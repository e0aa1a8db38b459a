"""Gradio's frontend (6.31) without three kinds of work that it does in vain: a fifth of what a browser does to open the
page, and of what it does from a press of Generate to the picture.

* It builds its tree of components twice. An effect that takes up an application whose source was changed (its
  `reload_count` is above 0 then) runs at the start, too.
* For each component it looks through the targets of all events, to find those of the component.
* For each value that an event sends it looks through the tree for the value's component, which it needs only where the
  component has not been drawn.

Each is a passage of a built file that is sent otherwise. A file without such passages is sent as it is.
"""

from collections.abc import Mapping
from types import MappingProxyType

_BY_COMPONENT = (  # the kind of event, once for each event that has the component among its targets
    "let t=new Map;"
    "for(let e of this.#n){let n=new Set;"
    "for(let[r,i]of e.targets)n.has(r)||(n.add(r),i&&(t.has(r)||t.set(r,[]),t.get(r).push(i)))}"
)

SAVINGS: Mapping[str, Mapping[str, str]] = MappingProxyType(  # by how a file's name begins: passages, and those instead
    {
        "Blocks-": MappingProxyType({"{v(),oe(()=>{O.reload(": "{v()&&oe(()=>{O.reload("}),
        "core-": MappingProxyType(
            {
                "postprocess(e){this.root=": f"postprocess(e){{{_BY_COMPONENT}this.root=",
                "e=>this.find_attached_events(e,this.#n),": (
                    "e=>(e.props.shared_props.attached_events=t.get(e.id)??[],e),"
                ),
                "t=this.#s.get(e),n=Z(this.root,e);return!t&&!n": (
                    "t=this.#s.get(e),n=t?null:Z(this.root,e);return!t&&!n"
                ),
            }
        ),
    }
)


def without_work_in_vain(name: str, script: bytes) -> bytes:
    """What is sent in the place of a file of Gradio's frontend.

    Args:
        name: of the file.
        script: what it holds.
    """
    passages = next((found for begin, found in SAVINGS.items() if name.startswith(begin)), {})
    if any(script.count(passage.encode()) != 1 for passage in passages):
        return script
    for passage, instead in passages.items():
        script = script.replace(passage.encode(), instead.encode())
    return script
