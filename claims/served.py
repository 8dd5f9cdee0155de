"""A model that the lab serves: what answers of it carry, so that nobody mixes the answers of two."""

from pydantic import BaseModel, ConfigDict


class ServedModel(BaseModel):
    """The model that a lab serves."""

    model_config = ConfigDict(frozen=True)

    name: str
    """hub id, or the last part of a folder's path"""
    version: str
    """commit of the hub's repository, or digest of the folder's files; changes whenever an answer could"""
