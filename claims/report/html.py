"""A report as one HTML file."""

from claims.dossier import InquiryDossier


def render(dossier: InquiryDossier) -> str:
    """Write the report."""
    raise NotImplementedError
