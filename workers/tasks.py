"""The Celery task of a node: one message of launches, handed to the agent."""

from crane_celery.celery_app import app
from crane_celery.wire.launch import TASK
from workers.agent import bootsteps

app.steps["worker"].add(bootsteps.Node)


@app.task(name=TASK, ignore_result=True)
def launch(text: str, signature: str) -> None:
    """Start what this message says, if it was meant for us; what comes twice or too late is refused and logged."""
    if bootsteps.agent is not None:
        bootsteps.agent.deliver(text, signature)
